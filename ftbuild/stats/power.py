"""What data could show: the smallest difference, before a job and after it."""

from ftbuild.stats.pivot import quantile

POWER = 0.8


def smallest_shown(se: float, n_clusters: int, confidence: float = 0.95) -> float:
    """Return the smallest true difference shown with 80 % power: (t(1-alpha/2) + t(power)) x se.

    Miller 2024, arXiv:2411.00640, section 5. `n_clusters` is 2 or more.
    """
    degrees = n_clusters - 1
    return (quantile(0.5 + confidence / 2, degrees) + quantile(POWER, degrees)) * se
