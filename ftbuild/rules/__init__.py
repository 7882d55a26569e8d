"""What a provider accepts: one function a rule or a few, yielding Problems; what each means stands in `pack`.

Pure. A rule sees JSON values as they will be sent, whoever wrote them.
"""
