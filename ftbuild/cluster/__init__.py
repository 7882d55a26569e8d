"""Pure actions as core tasks of Ray: where one machine is not enough.

No task sees the disk of the build. What goes over partitions is held together by a process of this machine, and its
partitions are the tasks; any other action is a task as a whole. The bytes it reads are handed to Ray and compared with
their digests where they are used; what it makes comes back as digests with the bytes, which the store compares again.
A task is pure, so one whose process or machine dies is computed once more; nobody else is ever asked for anything from
here. Ray orders nothing and writes nothing: the bytes are those of a build without it.
"""
