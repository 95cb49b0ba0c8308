"""Writes libconfig text from Python values: dict, list, str, bool, int."""


def _scalar(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _value(value, indent):
    if isinstance(value, dict):
        return "{\n" + text(value, indent + "    ") + indent + "}"
    if isinstance(value, (list, tuple)):
        if any(isinstance(v, (dict, list, tuple)) for v in value):
            return "( " + ", ".join(_value(v, indent) for v in value) + " )"
        return "[ " + ", ".join(_scalar(v) for v in value) + " ]" if value else "[ ]"
    return _scalar(value)


def text(settings, indent=""):
    """One `name = value;` or `name: { … };` a line; a value of None leaves the setting out."""
    rows = []
    for name, value in settings.items():
        if value is not None:
            mark = ": " if isinstance(value, dict) else " = "
            rows.append(f"{indent}{name}{mark}{_value(value, indent)};\n")
    return "".join(rows)
