"""What is said of an error that ended an import or its reading."""


def fault_of(error: BaseException) -> str:
    """What made a run fail. An error of the system's names a file by its whole path, which is nobody's business."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{type(error).__name__}: {why}"
