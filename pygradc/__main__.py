"""The command line, ``python -m pygradc`` or ``pygradc``: its commands."""

import argparse
import os
import sys

import pygradc
from pygradc import _commands, _info, _train
from pygradc.errors import GradcError


class _Parser(argparse.ArgumentParser):
    """Complains in one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}\n")


_EXPRESSIONS = (
    (
        "explain",
        _commands.add_explain,
        _commands.explain,
        "show the derivative of an expression, step by step",
    ),
    (
        "grad",
        _commands.add_grad,
        _commands.grad,
        "print the value of an expression and its gradient, or its Jacobian",
    ),
    (
        "check",
        _commands.add_check,
        _commands.check,
        "compare the gradient of an expression with differences and forward mode",
    ),
)


def _described(what):
    return (
        f"{what[0].upper()}{what[1:]}. An expression that begins with - goes last, "
        "after --."
    )


def parser():
    """The argparse parser of the whole command line."""
    top = _Parser(prog="pygradc", description="Exact gradients on the CPU.")
    top.add_argument(
        "--version", action="version", version=f"pygradc {pygradc.__version__}"
    )
    commands = top.add_subparsers(metavar="command")
    train = commands.add_parser(
        "train",
        help="fit the neuron max(0, w·x + b) to a table",
        description="Fits the neuron max(0, w·x + b) to a table by gradient descent "
        "on its mean squared error, and compares it with predicting the mean.",
    )
    _train.add_options(train)
    train.set_defaults(run=_train.train, name="train")
    for name, add, run, what in _EXPRESSIONS:
        command = commands.add_parser(name, help=what, description=_described(what))
        add(command)
        command.set_defaults(run=run, name=name)
    playground = commands.add_parser(
        "serve",
        help="open a playground in the browser, on this machine alone",
        description="Explains expressions as you type them, in the browser.",
    )
    _commands.add_serve(playground)
    playground.set_defaults(run=_commands.serve, name="serve")
    info = commands.add_parser("info", help="print what this build is and uses")
    info.set_defaults(run=_info.info, name="info")
    return top


def main(arguments=None):
    """Runs a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Of the command line; default: ``sys.argv[1:]``.

    Returns
    -------
    int
        Exit code: 0; 1 if something failed; 2 for wrong input; 130 after Ctrl-C where
        there is nothing to show.

    Raises
    ------
    SystemExit
        With code 2, when the arguments are wrong.
    """
    commands = parser()
    options = commands.parse_args(arguments)
    if "run" not in options:
        commands.print_help()
        return 0
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without "·"
    try:
        code = options.run(options)
        sys.stdout.flush()
        return code
    except GradcError as e:
        why = str(e).removeprefix(f"{options.name}: ")
        print(f"pygradc {options.name}: {why}", file=sys.stderr)
        return 2
    except MemoryError:
        print(f"pygradc {options.name}: out of memory", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"pygradc {options.name}: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # whoever read our output has gone; nothing may be flushed to it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
