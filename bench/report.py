"""report.py: what bench/run found, as a table, as ratios against the targets, and as a page."""

import datetime
import os
import platform

# name, phase, key, factor, format
ROWS = (
    ("processor time per 1,000 logins, s", "login", "cpu_s_per_1000", 1, "{:.3f}"),
    ("logins per second (all programs share the machine)", "login", "per_second", 1, "{:.0f}"),
    ("upstream TLS handshakes resumed, %", "login", "upstream_resumed", 100, "{:.0f}"),
    ("memory (PSS) per idle session, kB", "idle", "octets_per_session", 1 / 1000, "{:.1f}"),
    ("idle sessions", "idle", "sessions", 1, "{:.0f}"),
    ("memory with no session, MB", "idle", "pss_empty", 1e-6, "{:.1f}"),
    ("memory with all sessions, MB", "idle", "pss_full", 1e-6, "{:.1f}"),
    ("memory after they closed, MB", "idle", "pss_after", 1e-6, "{:.1f}"),
    ("kept of what the sessions took, %", "idle", "kept_share", 100, "{:.0f}"),
    ("NOOP round trip p50, µs", "noop", "p50_us", 1, "{:.0f}"),
    ("NOOP round trip p99, µs", "noop", "p99_us", 1, "{:.0f}"),
    ("processor time per NOOP, µs", "noop", "cpu_us", 1, "{:.1f}"),
    ("processor time per GiB of FETCH, s", "fetch", "cpu_s_per_gib", 1, "{:.2f}"),
    ("FETCH, MiB/s", "fetch", "mib_per_s", 1, "{:.0f}"),
    ("processor time per GiB of APPEND, s", "append", "cpu_s_per_gib", 1, "{:.2f}"),
    ("APPEND, MiB/s", "append", "mib_per_s", 1, "{:.0f}"),
    ("POP3: processor time per 1,000 logins, s", "pop3-login", "cpu_s_per_1000", 1, "{:.3f}"),
    ("POP3: logins per second", "pop3-login", "per_second", 1, "{:.0f}"),
    ("submission: processor time per 1,000 logins, s", "submission-login", "cpu_s_per_1000", 1,
     "{:.3f}"),
    ("submission: logins per second", "submission-login", "per_second", 1, "{:.0f}"),
    ("submission: processor time per GiB of DATA, s", "submission-append", "cpu_s_per_gib", 1,
     "{:.2f}"),
    ("submission: DATA, MiB/s", "submission-append", "mib_per_s", 1, "{:.0f}"),
)

# what, ours, theirs, phase, key, at most this times theirs
TARGETS = (
    ("login, TLS both sides, of the Dovecot proxy's", "postern", "dovecot", "login",
     "cpu_s_per_1000", 0.60),
    ("login, plain upstream, of nginx's", "postern-plain", "nginx", "login",
     "cpu_s_per_1000", 1.00),
    ("memory per idle TLS-to-TLS session, of the Dovecot proxy's", "postern", "dovecot", "idle",
     "octets_per_session", 0.25),
    ("NOOP p50, of HAProxy's", "postern", "haproxy", "noop", "p50_us", 1.10),
    ("NOOP p99, of HAProxy's", "postern", "haproxy", "noop", "p99_us", 1.10),
    ("FETCH, processor time per GiB, of HAProxy's", "postern", "haproxy", "fetch",
     "cpu_s_per_gib", 1.10),
    ("APPEND, processor time per GiB, of HAProxy's", "postern", "haproxy", "append",
     "cpu_s_per_gib", 1.10),
    ("POP3 login, TLS both sides, of the Dovecot proxy's", "postern", "dovecot", "pop3-login",
     "cpu_s_per_1000", 0.60),
    ("POP3 login, plain upstream, of nginx's", "postern-plain", "nginx", "pop3-login",
     "cpu_s_per_1000", 1.00),
    ("submission login, TLS both sides, of the Dovecot proxy's", "postern", "dovecot",
     "submission-login", "cpu_s_per_1000", 0.60),
    ("submission login, plain upstream, of nginx's", "postern-plain", "nginx",
     "submission-login", "cpu_s_per_1000", 1.00),
    ("DATA, processor time per GiB, of HAProxy's", "postern", "haproxy", "submission-append",
     "cpu_s_per_gib", 1.10),
)

GIVEN_BACK_SHARE = 0.10  # kept after closing: "given back" is a word, this is our measure of it


def machine():
    model = ""
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {"processor": model, "cores": os.cpu_count(), "memory_gb": round(pages / 1e9),
            "kernel": platform.release(), "load_before": os.getloadavg()[0],
            "date": datetime.datetime.now().astimezone().isoformat(timespec="minutes")}


def _value(peer, phase, key):
    return peer.get(phase, {}).get(key)


def table(everything):
    """A Markdown table, one column for each gateway."""
    found = everything["peers"]
    lines = [["", *(peer["label"] for peer in found.values())]]
    for name, phase, key, factor, form in ROWS:
        cells = []
        for peer in found.values():
            value = _value(peer, phase, key)
            is_void = key == "upstream_resumed" and not peer["upstream_tls"]
            is_void = is_void or (peer["label"] == "no gateway" and ("cpu" in key or "up" in key))
            cells.append("–" if value is None or is_void else form.format(value * factor))
        if any(cell != "–" for cell in cells):
            lines.append([name, *cells])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]

    def row(line):
        cells = [line[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(line[1:], widths[1:])]
        return "| " + " | ".join(cells) + " |"

    rule = "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(widths))
    return "\n".join([row(lines[0]), rule + "|", *(row(line) for line in lines[1:])]) + "\n"


def _verdicts(everything):
    found = everything["peers"]
    for what, ours, theirs, phase, key, most in TARGETS:
        a = _value(found.get(ours, {}), phase, key)
        b = _value(found.get(theirs, {}), phase, key)
        if a is not None and b:
            yield what, a / b, most
    kept = _value(found.get("postern", {}), "idle", "kept_share")
    if kept is not None:
        yield "share of the sessions' memory kept after they closed", kept, GIVEN_BACK_SHARE


def targets(everything):
    lines = ["| target | ratio | at most | |", "|---|---:|---:|---|"]
    for what, ratio, most in _verdicts(everything):
        word = "reached" if ratio <= most else "**missed**"
        lines.append(f"| {what} | {ratio:.2f} | {most:.2f} | {word} |")
    return "\n".join(lines) + "\n" if len(lines) > 2 else ""


def _summary(everything):
    missed = [what for what, ratio, most in _verdicts(everything) if ratio > most]
    count = len(list(_verdicts(everything)))
    if not count:
        return "Postern was not measured in this run."
    if not missed:
        return f"All {count} targets are reached in this run."
    return f"{count - len(missed)} of {count} targets are reached; missed: {'; '.join(missed)}."


def _findings(everything):
    """Sentences that say what a reader must know to judge the figures."""
    found, plan, here = everything["peers"], everything["plan"], everything["machine"]
    suites = sorted({peer["suite"] for peer in found.values() if "suite" in peer})
    upstream = sorted({peer["login"]["upstream_suite"] for peer in found.values()
                       if peer["upstream_tls"] and "login" in peer})
    yield (f"Front leg: {', '.join(suites)}, ECDSA P-256, always a full handshake (the load "
           "generator never offers a session).")
    yield (f"Upstream leg: {', '.join(upstream) or 'see above'}, certificate verified; each "
           "gateway resumes or not as it is made, and the row on resumed handshakes says which.")
    yield ("Processor time is user and system time of all processes of a gateway "
           f"({', '.join(sorted({p['cpu_from'] for p in found.values()}))}), nginx's with its "
           "auth responder, Dovecot's with its auth and anvil, Postern's with its warden and "
           "supervisor. The kernel's work for a packet on loopback is charged to its sender.")
    yield ("Memory is the sum of PSS over all processes, less what the same processes took "
           "before the sessions were opened; kernel socket buffers are not in it. "
           f"\"After\" is {plan['given_back_s']:.0f} s after the last session closed.")
    yield (f"All figures but memory are medians of up to {plan['rounds']} rounds (fewer where a "
           "gateway is slow), in which the gateways take turns; load generator, gateway and "
           f"backend share {here['cores']} cores, so rates and round trips compare within "
           "this run only. "
           f"The load average before the run was {here['load_before']:.2f}.")
    yield ("HAProxy authenticates nobody and reads no mail protocol; nginx and HAProxy see no "
           "second factor; Dovecot checks a static password. Postern checks an app password, "
           "unseals the mailbox password and follows command boundaries.")
    for peer in found.values():
        sessions = _value(peer, "idle", "sessions")
        if sessions is not None and sessions < plan["sessions"]:
            yield (f"{peer['label']} ran with {sessions} idle sessions: one process with two "
                   "descriptors a session, and the limit of descriptors on this machine.")
    for name, text in everything["failed"].items():
        yield f"FAILED: {name}: {text}"


def page(everything):
    here, found = everything["machine"], everything["peers"]
    versions = "\n".join(f"| {p['label']} | {p['version']} | {p['note']} |"
                         for p in found.values())
    findings = "\n".join(f"- {text}" for text in _findings(everything))
    return f"""# Results of bench/run

Written by the benchmark; do not edit. {_summary(everything)}

| | |
|---|---|
| date | {here['date']} |
| machine | {here['processor']}, {here['cores']} cores, {here['memory_gb']} GB, Linux \
{here['kernel']} |
| command | `{everything['command']}` ({everything['seconds']:.0f} s) |

{table(everything)}
## Against the targets

Ratios within this run.

{targets(everything)}
## What was compared

| gateway | version | how |
|---|---|---|
{versions}

## How to read it

{findings}
"""
