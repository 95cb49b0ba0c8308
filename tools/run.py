"""./run: a working gateway before a real mail server, from a fresh clone, in one command.

Exit status: 0 ended as asked, 1 something could not be started, 2 wrong usage.
"""

import argparse
import getpass
import os
import sys
import urllib.parse

from rig import build, demo, keeper
from rig.gateway import SCHEMES
from rig.process import RigError

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EXAMPLES = """\
examples:
  ./run                                    a private Dovecot with two demo accounts behind it
  ./run --upstream imaps://mail.example.org --user me@example.org
                                           the same before a server of your own; asks for the
                                           mailbox password (or reads a line of standard input)
  ./run --upstream imaps://mail.example.org --upstream submissions://smtp.example.org
                                           and once more for each protocol of it
  ./run --background --ready up.json       returns when all is up; end it with the pid in up.json
"""


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="./run", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Installs what is missing, builds Postern, starts it on loopback before a "
                    "private mail server and enrols a demo account. Ctrl-C ends it all; the next "
                    "run finds its state again.")
    parser.add_argument("--state", metavar="DIR", default=os.path.join(REPOSITORY, ".state"),
                        help="where all state goes (default: .state in the repository)")
    parser.add_argument("--background", action="store_true", help="return when all is up")
    parser.add_argument("--ready", metavar="FILE",
                        help="write one JSON object for scripts to FILE when all is up")
    parser.add_argument("--upstream", metavar="URL", action="append", default=[],
                        help="imaps://HOST[:PORT] (or imap://, pop3s://, pop3://, submissions://, "
                             "submission://, sieve://; STARTTLS is required): use this server "
                             "instead of private ones; may be given for each protocol")
    parser.add_argument("--upstream-ca", metavar="FILE",
                        help="certificates to verify that server by (default: the system's)")
    parser.add_argument("--user", metavar="ADDRESS", help="the account to enrol with --upstream")
    options = parser.parse_args(arguments)
    for url in options.upstream:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in SCHEMES or not parts.hostname:
            parser.error(f"--upstream takes SCHEME://HOST[:PORT], with {', '.join(SCHEMES)}")
    if not options.upstream and (options.user or options.upstream_ca):
        parser.error("--user and --upstream-ca go with --upstream")
    return options


def ask(options):
    """The account to enrol before somebody's own server: (address, mailbox password) or None."""
    is_terminal = sys.stdin.isatty()
    user = options.user
    if not user and is_terminal:
        user = input("Address of an account there to enrol (empty: none now): ").strip()
    if not user:
        return None
    if is_terminal:
        return user, getpass.getpass(f"Mailbox password of {user}: ")
    return user, sys.stdin.readline().rstrip("\r\n")


def main():
    options = parse(sys.argv[1:])
    os.umask(0o022)
    try:
        owner = ask(options) if options.upstream else None
        build.install("build", "run")
        binary = build.compile_release(REPOSITORY)
        plan = demo.Demo(options.state, binary, options.upstream, options.upstream_ca, owner)
        return keeper.keep(plan, ready=options.ready, is_background=options.background)
    except KeyboardInterrupt:
        return 1
    except RigError as e:
        print(f"./run: {e}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
