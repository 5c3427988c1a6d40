"""The command line, as its users meet it: what is printed, and the exit code."""

import doctest
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import pygradc
from pygradc import _lib, _neuron
from pygradc.__main__ import main


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def line(in_empty_folder):
    """A table of b = 3 + 2 a, on which everything is known."""
    rows = "\n".join(f"{a},7,{3 + 2 * a}" for a in range(20))
    (in_empty_folder / "line.csv").write_text("a,c,b\n" + rows + "\n")
    return ["train", "--data", "line.csv", "--target", "b", "--no-plot"]


def start(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "pygradc", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        **options,
    )


def is_one_line(text):
    return text.endswith("\n") and text.count("\n") == 1


# ---- train ----


def test_train_fits_the_diabetes_study(capsys, in_empty_folder):
    assert main(["train"]) == 0
    out, err = capsys.readouterr()
    assert "'progression' of diabetes.csv" in out
    assert "inputs: 10; rows: 354 to train, 88 held out" in out
    assert "gradient agrees with finite differences: 11 of 11" in out
    for name in ("age", "sex", "bmi", "bp", "s1", "s5", "s6", "b"):
        assert re.search(rf"^{name} +-?[\d.]", out, re.M)
    neuron = re.search(r"^the neuron +([\d.]+) +([\d.]+)$", out, re.M).groups()
    mean = re.search(r"^predicting the mean +([\d.]+) +([\d.]+)$", out, re.M).groups()
    for ours, theirs in zip(neuron, mean, strict=True):
        assert float(ours) < 0.75 * float(theirs)
    assert "1000/1000" in err
    assert "loss" in err
    assert (in_empty_folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert "loss drawn in loss.png" in out


def test_train_finds_the_weights_of_a_line(capsys, line):
    assert main([*line, "--epochs", "300"]) == 0
    out = capsys.readouterr().out
    assert "constant, so of no weight: c" in out
    assert re.search(r"^a +\S+ +2$", out, re.M)
    assert re.search(r"^c +0 +0$", out, re.M)


def test_train_is_repeatable_and_the_seed_matters(capsys):
    def printed(seed):
        assert main(["train", "--no-plot", "--epochs", "20", "--seed", seed]) == 0
        return capsys.readouterr().out

    assert printed("1") == printed("1") != printed("2")


def test_train_predicts_another_column(capsys):
    assert main(["train", "--target", "s6", "--no-plot", "--epochs", "9"]) == 0
    assert re.search(r"^progression ", capsys.readouterr().out, re.M)


@pytest.mark.parametrize("fraction", ["0", "0.001", "0.999"])
def test_train_keeps_two_rows_to_train(capsys, line, fraction):
    assert main([*line, "--epochs", "5", "--held-out", fraction]) == 0
    out = capsys.readouterr().out
    rows, held = map(int, re.search(r"rows: (\d+) to train, (\d+)", out).groups())
    assert rows + held == 20
    assert rows >= 2
    assert ("held out" in out.split("root mean")[1]) == (held > 0)


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        ("1,5\n2,5\n3,5\n", "the target 'b' is constant"),
        ("1,0\n2,0\n3,0\n", "the neuron is 0 in every training row"),
        ("1,-5\n2,-6\n3,-7\n", "2 of 2 targets are below 0"),
        ("1e308,1e308\n-1e308,1e307\n1.7e308,1e300\n", "the neuron"),
        ("1e-308,1e-308\n2e-308,3e-308\n5e-324,0\n", "the neuron"),
        ("1,2\n3,4\n", "rows: 2 to train, 0 held out"),
    ],
)
def test_train_copes_with_odd_tables(capsys, in_empty_folder, rows, note):
    (in_empty_folder / "odd.csv").write_text("a,b\n" + rows)
    assert main(["train", "--data", "odd.csv", "--target", "b"]) == 0
    out, err = capsys.readouterr()
    assert note in out
    assert "Warning" not in err


def test_train_draws_where_it_is_told(in_empty_folder, line):
    line.remove("--no-plot")
    assert main([*line, "--epochs", "3", "--plot", "curve.svg"]) == 0
    assert "<svg" in (in_empty_folder / "curve.svg").read_text()
    assert not (in_empty_folder / "loss.png").exists()


def test_train_draws_odd_names(capsys, in_empty_folder):
    (in_empty_folder / "odd.csv").write_text("a,$b_^ 価格$\n1,2\n3,4\n")
    assert main(["train", "--data", "odd.csv", "--target", "$b_^ 価格$"]) == 0
    out, err = capsys.readouterr()
    assert "loss drawn in loss.png" in out
    assert "Warning" not in err


@pytest.mark.parametrize("path", ["no/such/folder.png", "line.csv/x.png", "x.nonsense"])
def test_train_prints_its_result_also_if_it_cannot_draw(capsys, line, path):
    line.remove("--no-plot")
    assert main([*line, "--epochs", "3", "--plot", path]) == 1
    out, err = capsys.readouterr()
    assert "predicting the mean" in out
    assert f"pygradc train: {path} is not written: " in err.splitlines()[-1]


@pytest.mark.parametrize("pictures", [True, False])
def test_train_writes_a_report(capsys, monkeypatch, in_empty_folder, line, pictures):
    if not pictures:
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    (in_empty_folder / "one.csv").write_text("<a>,b\n1,2\n2,5\n4,6\n5,9\n")
    one = ["train", "--data", "one.csv", "--target", "b", "--no-plot"]
    for arguments, parts in ((line, 5), (one, 6)):
        assert main([*arguments, "--epochs", "30", "--html", "r.html"]) == 0
        text = (in_empty_folder / "r.html").read_text(encoding="utf-8")
        assert text.count("<section>") == parts
        assert text.count("<img ") == (parts - 1 if pictures else 0)
        assert ("need matplotlib" in text) != pictures
    assert "Descent on the loss surface" in text
    assert "<tr><td>0</td><td>0</td><td>" in text  # begins at w = 0
    assert "&lt;a&gt;" in text and "<a>" not in text
    out = capsys.readouterr().out
    weight = re.search(r"^<a> +(\S+) +(\S+)$", out, re.M).groups()
    assert f"<td>{weight[0]}</td><td>{weight[1]}</td>" in text


def test_train_says_when_the_report_cannot_be_written(capsys, line):
    assert main([*line, "--epochs", "3", "--html", "no/r.html"]) == 1
    assert "no/r.html is not written: No such file" in capsys.readouterr().err


def test_train_without_matplotlib_draws_nothing(capsys, monkeypatch, line):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    line.remove("--no-plot")
    assert main([*line, "--epochs", "3"]) == 0
    assert "loss.png is not written: matplotlib" in capsys.readouterr().err
    assert main([*line, "--epochs", "3", "--plot", "x.png"]) == 1


def test_train_without_tqdm_prints_lines(capsys, monkeypatch, line):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert main([*line, "--epochs", "50"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert re.fullmatch(r"epoch 50/50: loss \S+", lines[-1])


# ---- what goes wrong ----


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("age,y\n1,2\nabc,4\n", "bad.csv: row 3, column 'age': 'abc' is no number"),
        ("age,y\n1,2\n3,nan\n", "bad.csv: row 3, column 'y': 'nan' is not finite"),
        ("age,y\n", "bad.csv: no rows below the header; two are needed"),
        ("age,y\n1,2\n", "bad.csv: one row below the header; two are needed"),
        ("", "bad.csv: the file is empty"),
        ("a,b\n1,2\n3,4\n", "bad.csv: no column 'y'; columns: a, b"),
        (None, "bad.csv: No such file or directory"),
    ],
)
def test_bad_table_is_one_line_and_code_2(capsys, in_empty_folder, content, what):
    if content is not None:
        (in_empty_folder / "bad.csv").write_text(content)
    assert main(["train", "--data", "bad.csv", "--target", "y"]) == 2
    out, err = capsys.readouterr()
    assert err == f"pygradc train: {what}\n"
    assert out == ""


def test_missing_target_is_one_line_and_code_2(capsys, line):
    assert main(line[:3]) == 2
    assert capsys.readouterr().err == (
        "pygradc train: line.csv: --target is missing; columns: a, c, b\n"
    )


@pytest.mark.parametrize(
    ("option", "value", "what"),
    [
        ("--epochs", "0", "'0' is no whole number from 1"),
        ("--epochs", "1.5", "'1.5' is no whole number from 1"),
        ("--rate", "0", "'0' is no positive number"),
        ("--rate", "inf", "'inf' is no positive number"),
        ("--rate", "nan", "'nan' is no positive number"),
        ("--held-out", "1", "'1' is no fraction from 0 to below 1"),
        ("--seed", "-1", "'-1' is no whole number from 0"),
        ("--seed", "x", "'x' is no whole number from 0"),
    ],
)
def test_bad_option_is_one_line_and_code_2(capsys, option, value, what):
    with pytest.raises(SystemExit) as e:
        main(["train", f"{option}={value}"])
    assert e.value.code == 2
    assert capsys.readouterr().err == f"pygradc train: argument {option}: {what}\n"


@pytest.mark.parametrize("arguments", [["drain"], ["train", "--no-such"]])
def test_unknown_arguments_are_one_line_and_code_2(capsys, arguments):
    with pytest.raises(SystemExit) as e:
        main(arguments)
    assert e.value.code == 2
    assert is_one_line(capsys.readouterr().err)


def test_no_command_prints_the_help(capsys):
    assert main([]) == 0
    assert "train" in capsys.readouterr().out


def test_too_high_a_rate_is_one_line_and_code_2(capsys, line):
    assert main([*line, "--rate", "1e9"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "pygradc train: the loss is no longer finite: rate 1e+09 is too high"


def test_failed_gradient_check_stops_the_command(capsys, monkeypatch, line):
    monkeypatch.setattr(_neuron, "largest_difference", lambda *a: (0.5, 3))
    assert main(line) == 1
    out, err = capsys.readouterr()
    assert is_one_line(err)
    assert "the gradient differs from finite differences" in err
    assert "root mean" not in out


@pytest.mark.parametrize(
    ("error", "code", "what"),
    [(MemoryError, 1, "out of memory"), (KeyboardInterrupt, 130, "stopped")],
)
def test_errors_before_training_are_one_line(capsys, monkeypatch, error, code, what):
    def fail(*args):
        raise error

    monkeypatch.setattr(_neuron.Scaling, "of", fail)
    assert main(["train"]) == code
    assert capsys.readouterr().err == f"pygradc train: {what}\n"


# ---- as a process ----


@pytest.mark.parametrize("with_tqdm", [True, False])
def test_interrupt_prints_what_is_learned(in_empty_folder, with_tqdm):
    if not with_tqdm:
        (in_empty_folder / "tqdm.py").write_text("raise ImportError")
    process = start(
        *("train", "--epochs", "2000000", "--no-plot"),
        env={**os.environ, "PYTHONPATH": str(in_empty_folder)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while "rate" not in process.stdout.readline():
        assert process.poll() is None
    time.sleep(0.3)  # training is under way
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert re.search(r"^stopped after [1-9]\d* epochs$", out, re.M)
    assert re.search(r"^the neuron +[\d.]+ +[\d.]+$", out, re.M)
    assert "Traceback" not in err


def test_interrupts_leave_the_handler_as_it_was(line):
    before = signal.getsignal(signal.SIGINT)
    assert main([*line, "--epochs", "2"]) == 0
    assert signal.getsignal(signal.SIGINT) is before


def test_closed_pipe_leaves_no_traceback():
    process = start("train", "--no-plot", "--epochs", "3")
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 1
    assert "Traceback" not in err
    assert "BrokenPipe" not in err


def test_output_that_cannot_show_a_dot_still_works():
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    out, err = start("train", "--no-plot", "--epochs", "3", env=env).communicate()
    assert "max(0, w?x + b)" in out
    assert "Traceback" not in err


def test_readme_example_runs():
    readme = Path(__file__).parent.parent / "README.md"
    failed, tried = doctest.testfile(str(readme), module_relative=False)
    assert tried >= 4
    assert failed == 0


def test_version_is_printed():
    out, _ = start("--version").communicate()
    assert out == f"pygradc {pygradc.__version__}\n"


# ---- info ----


def test_info_names_the_build(capsys):
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    facts = dict(re.fullmatch(r"(.+?): +(.+)", x).groups() for x in out.splitlines())
    assert facts["pygradc"] == pygradc.__version__
    compiled, usable = facts["ISA paths compiled"], facts["ISA paths usable"]
    assert set(usable.split()) <= set(compiled.split())
    assert "base" in usable.split()
    assert facts["ISA path in use"] == _lib.isa()
    assert facts["machine code"] == ("yes" if _lib.native() else "no")
    assert int(facts["threads"]) >= 1
    assert re.match(r"(gcc|clang) \d", facts["compiler"])


@pytest.mark.parametrize("command", [["info"], ["train", "--no-plot"]])
def test_unknown_isa_is_one_line_and_code_2(command):
    env = {**os.environ, "PYGRADC_ISA": "mmx"}
    process = start(*command, env=env)
    _, err = process.communicate()
    assert process.returncode == 2
    assert is_one_line(err)
    assert err.startswith(f"pygradc {command[0]}: PYGRADC_ISA")


# ---- expressions ----


def test_explain_prints_the_four_steps(capsys):
    assert main(["explain", "sin(x + x**2)", "--at", "x=2"]) == 0
    out = capsys.readouterr().out
    assert "2  Differentiate each" in out
    assert "= cos(x + x²)·(1 + 2x)" in out
    assert "4.80085" in out


@pytest.mark.parametrize(
    ("form", "words"),
    [("latex", r"\frac"), ("markdown", "$$"), ("html", "<math"), ("mathml", "<math")],
)
def test_explain_has_forms(capsys, form, words):
    assert main(["explain", "sin(x**2)", "--format", form]) == 0
    assert words in capsys.readouterr().out


def test_explain_writes_files(capsys, in_empty_folder):
    assert main(["explain", "x*y", "--at", "x=2", "y=3", "--html", "a.page"]) == 0
    assert main(["explain", "x*y", "--wrt", "y", "--output", "b.tex"]) == 0
    assert (in_empty_folder / "a.page").read_text().startswith("<!DOCTYPE html>")
    assert r"\partial" in (in_empty_folder / "b.tex").read_text()
    assert main(["explain", "x", "--output", "b.docx"]) == 2
    assert main(["explain", "x", "--output", "no/b.txt"]) == 1
    assert "no/b.txt: No such file" in capsys.readouterr().err


def test_grad_prints_value_and_gradient(capsys):
    neuron = ["grad", "max(0, w@x + b)", "--at", "w=[1,2,3]", "x=[0.5,-1,2]", "b=0.1"]
    assert main(neuron) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "value = 4.6"
    assert lines[2] == "d/dx = [1., 2., 3.]"
    assert main([*neuron, "--wrt", "b,w", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "value": 4.6,
        "gradient": {"b": 1.0, "w": [0.5, -1.0, 2.0]},
    }


def test_grad_of_a_vector_is_its_jacobian(capsys):
    assert main(["grad", "[x**2, 1/x]", "--at", "x=0", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"value": [0.0, "Infinity"], "gradient": {"x": [0.0, "-Infinity"]}}


def test_check_agrees_and_tells_of_kinks(capsys):
    assert main(["check", "sum(max(0, x)) * y", "--at", "x=[0, 1, -1]", "y=2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("x: agree: 2 of 3")
    assert lines[1] == "x: kink: 0 from the left, 2 from the right; pygradc takes 0"
    assert lines[2].startswith("y: agree: 1 of 1")


def test_check_finds_what_disagrees(capsys, monkeypatch):
    right = pygradc.grad
    monkeypatch.setattr(
        pygradc,
        "grad",
        lambda *a, **k: lambda *x: [1.001 * d for d in right(*a, **k)(*x)],
    )
    assert main(["check", "sin(x)", "--at", "x=1"]) == 1
    assert "x: DISAGREE: 1 of 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["grad", "x^2", "--at", "x=1"], "write ** for a power\n  x^2\n   ^\n"),
        (["grad", "x*y", "--at", "x=1"], "no value for y"),
        (["explain", "x*y", "--at", "x=1"], "pygradc explain: no value for y\n"),
        (
            ["grad", "x@y", "--at", "x=[1,2]", "y=[1,2,3]"],
            "pygradc grad: @ cannot multiply (2,) by (3,)\n  x@y\n   ^\n",
        ),
        (["grad", "x", "--at", "x=1", "y=1"], "--at y: no such variable"),
        (["grad", "x", "--at", "x=1", "--wrt", "z"], "--wrt z"),
        (["grad", "3"], "no variable"),
        (["check", "log(x)", "--at", "x=-1"], "not finite"),
        (["explain", "x", "--at", "sin(x)"], "name=value"),
        (["explain", "x", "--wrt", "y"], "--wrt y"),
    ],
)
def test_wrong_expressions_and_values(capsys, arguments, words):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
