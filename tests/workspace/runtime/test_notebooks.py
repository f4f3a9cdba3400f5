"""Notebooks as tasks: the magics and all that user code finds, on a real server as a user who is no admin."""

import io
import json
import re
import shutil
import time
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest
from databricks.sdk.service import catalog
from databricks.sdk.service import jobs as api
from databricks.sdk.service.workspace import AclPermission

from tests.conftest import Server
from tests.workspace.runtime.conftest import NOTEBOOKS, Person

SECRET = "hush-4f9c<&>77"
SETUP = """# Databricks notebook source
dbutils.widgets.text("who", "nobody")

# COMMAND ----------

# MAGIC %run ../lib/words

# COMMAND ----------

GREETING = WORD + " " + dbutils.widgets.get("who")
dbutils.notebook.exit("ends this notebook alone")

# COMMAND ----------

GREETING = "NOT RUN"
"""
NESTED = """# Databricks notebook source
assert "forgotten" not in globals()
if dbutils.widgets.get("x") == "fail":
    raise ValueError("told to fail")
dbutils.jobs.taskValues.set("nested", 1)
dbutils.notebook.exit("x is " + dbutils.widgets.get("x"))
"""
SAID = """\
imported helper other project
Wrote 4 bytes.
prod | small | ;
sqldf {'env': 'prod', 'size': 'small', 'semicolon': ';'}
n      | int64  | 3     | 0     | 3        | 2.0  | 1.0    | 1   | 1.5 | 2.0 | 2.5 | 3
s      | object | 2     | 1     | 2        |      |        |     |     |     |     |
s      | string | 1     | 1     | 1        |      |                    | a   |     |     |     | a
once
from the shell: 42
listed ['one', 'two']
expanded EXPANDED
parquet [{'a': 1, 'b': 2}]
arrow ['a=1'] [{'b': 2, 'a': 1}]
spark [Row(a='1', b='2')]
walk [('', []), ('/folder', ['plain.csv', 'plain.parquet'])]
ls [('/folder/', 'folder/', True)]
volumes ['readable/', 'volume/']
moved ['a,b', '1,2'] a,b
removed True False False
read given
setup said hello the caller 2
the secret is [REDACTED] b'[REDACTED]'
the secret again [REDACTED]
and once more [REDACTED]
keys ['key'] True
context t0 of a test everything
nested: x is 5
nested has failed: The notebook /Users/USER/project/notebooks/nested has failed: Cell 1: ValueError: told to fail
nested has failed: The notebook /Users/USER/project/notebooks/slow has taken more than 1 seconds."""
REFUSED = (
    "InputWidgetNotDefined: No input widget named free is defined. Defined: env, hidden, lake, of_job, parts,",
    "ValueError: The default value 'z' of the widget d is none of its choices: a.",
    "FileNotFoundError: 'dbfs:/not/there'",
    "FileExistsError: 'dbfs:/put.txt'",
    "OSError: The folder is not empty",
    "OSError: not s3://bucket/key",
    "NotImplementedError: dbutils.fs.mount is not served here: there are no mounts",
    "NotImplementedError: dbutils.credentials.assumeRole is not served here",
    "NotImplementedError: dbutils.library.installPyPI is not served here: install with %pip",
    "ServerRefused: Scope none does not exist.",
    "ValueError: Task 'nobody' has set no value 'key'.",
    "ValueError: The task value 'key' cannot be written as JSON",
    "ValueError: The task value 'key' has 50,002 bytes as JSON; 49,152 is the most.",
    "TypeError: dbutils.data.summarize takes a DataFrame of Spark or pandas, not list.",
    "FileNotFoundError: '/Volumes/no/such/volume'",
    "PermissionError: '/Volumes/main/SCHEMA/hidden/file'",
    "PermissionError: Permission denied",
    "PermissionError: Permission denied",
    "PermissionError: Permission denied",
    "NotImplementedError: sc.parallelize is not served here: clients of Spark Connect have no SparkContext. Use spark.",
)


def test_everything(server: Server, user: Person, grant: Callable[..., None]) -> None:
    """One notebook with everything in it, restarted in its middle."""
    admin = WorkspaceClient(host=server.url, token=server.token, auth_type="pat")
    schema, scope = f"n{uuid.uuid4().hex[:8]}", f"s{uuid.uuid4().hex[:8]}"
    admin.schemas.create(schema, "main")
    grant("catalog", "main", user.name, "USE CATALOG")
    grant("schema", f"main.{schema}", user.name, "USE SCHEMA")
    for name, privileges in {"volume": ["READ VOLUME", "WRITE VOLUME"], "readable": ["READ VOLUME"], "hidden": []}.items():
        admin.volumes.create("main", schema, name, catalog.VolumeType.MANAGED)
        if privileges:
            grant("volume", f"main.{schema}.{name}", user.name, *privileges)
    with server.client() as opened:
        opened.put(f"/api/2.0/fs/files/Volumes/main/{schema}/readable/given.txt", content=b"given").raise_for_status()
    admin.secrets.create_scope(scope)
    admin.secrets.put_secret(scope, "key", string_value=SECRET)
    admin.secrets.put_acl(scope, user.name, AclPermission.READ)
    path = user.put("project/notebooks/everything", (NOTEBOOKS / "everything.txt").read_text())
    user.put("project/notebooks/setup", SETUP)
    user.put("project/lib/words", '# Databricks notebook source\nWORD = "hello"\n')
    user.put("project/notebooks/nested", NESTED)
    user.put("project/notebooks/slow", "# Databricks notebook source\nimport time\ntime.sleep(60)\n")
    user.put("project/lib/helper.py", 'NAME = "helper"\n', None)
    user.put("project/more/other.py", 'NAME = "other"\n', None)
    parameters = {"env": "prod", "scope": scope, "lake": str(server.root.resolve()), "of_job": "7"}
    parameters |= {name: f"main/{schema}/{name}" for name in ("volume", "readable", "hidden")}
    (ran,) = user.run({"notebook_task": {"notebook_path": path, "base_parameters": parameters}})

    assert (ran.state, ran.error) == ("SUCCESS", ""), ran
    assert json.loads(ran.result or "") == {"env": "prod", "secret": "[REDACTED]"}
    page = user.client.jobs.export_run(ran.run_id).views[0].content or ""
    (kept,) = (server.root / "logs" / "jobs").glob(f"*/{ran.run_id}.ipynb")
    executed = json.loads(kept.read_text())
    for text in (ran.log, page, kept.read_text()):
        assert SECRET not in text
    assert not re.findall(r"^NOT .*", ran.log, re.MULTILINE), ran.log
    said = ran.log.replace(user.name, "USER").replace(schema, "SCHEMA").replace(scope, "SCOPE").splitlines()
    assert [line for line in SAID.splitlines() if line not in said] == [], ran.log
    refused = [line.split(" ", 2)[1:] for line in said if line.startswith("refused: ")]
    assert [one[0] for one in refused] == [one.split(": ", 1)[0] for one in REFUSED]
    for (_, message), wanted in zip(refused, REFUSED, strict=True):
        assert wanted.split(": ", 1)[1] in message

    assert page.count("<table") == 6
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "<h2>made of HTML</h2>" in page
    assert "data:image/png;base64," in page
    assert "<h1>What a notebook can do</h1>" in page
    assert "<script" not in page
    assert "window.evil" not in re.sub("&lt;script&gt;.*", "", page)
    outputs = [cell.get("outputs", []) for cell in executed["cells"]]
    assert [len(one) > 0 for one in outputs[1:]] == [
        True,
        True,
        True,
        True,
        True,
        True,
        True,
        True,
        False,
        True,
        True,
        False,
        False,
    ]
    (figure,) = [one for one in outputs[5] if "image/png" in one.get("data", {})]
    assert figure["output_type"] == "display_data"


def test_failures(server: Server, user: Person, person: Callable[[], Person]) -> None:
    """Runs that fail tell where and why, and a notebook of somebody else is not told of."""
    other = person()
    user.put("setup", "# Databricks notebook source\n\n# COMMAND ----------\n\n1 / 0\n")
    foreign = other.put("theirs", "# Databricks notebook source\nprint(1)\n")
    cells = {
        "print('before')\n\n# COMMAND ----------\n\n# DBTITLE 1,Bad\ndef f():\n    raise KeyError('k')\nf()\n": "Cell 2 (Bad): KeyError: 'k'",
        "if True print(1)": "Cell 1: SyntaxError: ",
        "# MAGIC %scala\n# MAGIC println(1)": "Cell 1: LanguageMissing: Cells in Scala need ",
        "# MAGIC %sql SELECT nope": "Cell 1: AnalysisException: ",
        "# MAGIC %run ./nothing": f"Cell 1: NotebookMissing: There is no notebook at {user.home}/nothing",
        "# MAGIC %run ./setup": f"Cell at line 5 of {user.home}/setup, in cell 1: ZeroDivisionError: division by zero",
        "# MAGIC %sh -e\n# MAGIC exit 3": "Cell 1: CommandFailed: The script has ended with status 3.",
        "import os; os._exit(9)": "The process of the task has ended unexpectedly (exit status 9).",
        "import sys; sys.exit(4)": "Cell 1: SystemExit: 4",
        "dbutils.jobs.nothing": "Cell 1: AttributeError: 'Jobs' object has no attribute 'nothing'",
    }
    paths = [user.put(f"f{index}", f"# Databricks notebook source\n{text}") for index, text in enumerate(cells)]
    wanted = {
        **dict(zip(paths, cells.values(), strict=True)),
        f"{user.home}/missing": f"Path ({user.home}/missing) does",
        foreign: f"Path ({foreign}) does",
    }
    ran = user.run(*({"notebook_task": {"notebook_path": path}} for path in wanted))
    for one, error in zip(ran, wanted.values(), strict=True):
        assert one.state == "FAILED"
        assert one.error.startswith(error), one
    assert "raise KeyError('k')" in ran[0].trace
    assert ran[0].log.startswith("before\n")
    assert "Cell In[2], line 3" in ran[0].log
    page = user.client.jobs.export_run(ran[0].run_id).views[0].content or ""
    assert "class=failed" in page
    with pytest.raises(BadRequest, match=r"tasks\[0\]\.notebook_task\.notebook_path"):
        user.client.jobs.submit(tasks=[api.SubmitTask(task_key="a", notebook_task=api.NotebookTask(notebook_path=""))])


FILE = """
import os, sys
import beside
print("arguments", sys.argv[1:], beside.NAME, __name__, os.path.basename(__file__))
print("listed", sorted(os.listdir(os.environ["HOME"])), sorted(name for name in globals() if name[0] != "_")[:3])
if sys.argv[1:] == ["fail"]:
    raise RuntimeError("as it was told")
if sys.argv[1:] == ["exit"]:
    sys.exit("bad end")
print(spark.range(2).count())
display(spark.range(1))
"""


LINKS = """
import os, tempfile
own = f"{tempfile.gettempdir()}/link"
os.symlink("/etc/hostname", own)
for place in (f"/dbfs/{os.getpid()}", f"{os.path.dirname(os.path.abspath(__file__))}/link"):
    for way in (lambda: os.symlink("/etc/hostname", place), lambda: os.rename(own, place)):
        try:
            way()
        except OSError as error:
            print(type(error).__name__, error.errno)
        else:
            print("MADE", place)
"""


def test_links_to_what_a_task_may_not_read_are_not_left_where_others_read(user: Person) -> None:
    """The engine would follow them: a volume is read by a process with more rights."""
    ran = user.run({"spark_python_task": {"python_file": user.put("links/links.py", LINKS, None)}})
    assert ran[0].state == "SUCCESS", ran
    told = ran[0].log.splitlines()
    assert len(told) == 4, told
    assert not [line for line in told if line.startswith("MADE")], told


def test_python_files(server: Server, user: Person) -> None:
    """Python files of the workspace and of DBFS as tasks."""
    path = user.put("files/main.py", FILE, None)
    user.put("files/beside.py", "NAME = 'beside'", None)
    (server.root / "dbfs" / "jobs").mkdir(exist_ok=True)
    (server.root / "dbfs" / "jobs" / "small.py").write_text("print('from dbfs')\ndbutils.notebook.exit('early')\nprint('NOT')")
    given: list[tuple[str, list[str]]] = [(path, ["a", "{{job.run_id}}"]), (path, ["fail"]), (path, ["exit"])]
    given += [("dbfs:/jobs/small.py", []), ("dbfs:/jobs/none.py", []), (f"{user.home}/none.py", [])]
    ran = user.run(*({"spark_python_task": {"python_file": file, "parameters": words}} for file, words in given))
    assert [one.state for one in ran] == ["SUCCESS", "FAILED", "FAILED", "SUCCESS", "FAILED", "FAILED"], ran
    assert re.match(r"arguments \['a', '\d+'\] beside __main__ main.py\nlisted \['below', 'tmp'\]", ran[0].log), ran[0].log
    assert ran[0].log.endswith("2\nid\n--\n0\n")
    assert (ran[1].error, "as it was told" in ran[1].trace) == ("RuntimeError: as it was told", True)
    assert 'line 7, in <module>\n    raise RuntimeError("as it was told")' in ran[1].trace
    assert (ran[2].error, ran[2].log.splitlines()[-1]) == ("The file has ended with status bad end.", "bad end")
    assert ran[3].log == "from dbfs\n"
    assert ran[4].error.startswith("The Python file dbfs:/jobs/none.py cannot be read: ")
    assert ran[5].error.startswith(f"Path ({user.home}/none.py) does")


def wheel(version: str) -> bytes:
    """A package that says its version, with an entry point."""
    info = f"tiny_of_test-{version}.dist-info"
    files = {
        "tiny_of_test.py": f"import sys\nVERSION = {version!r}\ndef main():\n    print('tiny', VERSION, sys.argv[1:])\ndef plain():\n    sys.exit(3)\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny-of-test\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nrun-tiny = tiny_of_test:main\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


PACKAGES = """# Databricks notebook source
# MAGIC %pip install ./tiny_of_test-1.0-py3-none-any.whl
# MAGIC %pip install {second}
# MAGIC %pip install pandas

# COMMAND ----------

import tiny_of_test
print("first", tiny_of_test.VERSION)
%pip install -q ./tiny_of_test-1.0-py3-none-any.whl
%pip install -q {second}
dbutils.library.restartPython()

# COMMAND ----------

import os
import subprocess
import sys

import tiny_of_test
print("second", tiny_of_test.VERSION, __import__("importlib.metadata").metadata.version("tiny-of-test"))
print(subprocess.run([sys.executable, "-c", "import tiny_of_test, os; print('below', tiny_of_test.VERSION, os.getcwd())"],
    capture_output=True, text=True, cwd=os.getcwd()).stdout)
from joblib import Parallel, delayed
print(Parallel(n_jobs=2)(delayed(os.path.exists)(path) for path in (os.getcwd(), "/Workspace/nothing")))

# COMMAND ----------

# MAGIC %pip uninstall tiny-of-test
"""


def test_packages(server: Server, user: Person) -> None:
    """``%pip`` changes what one notebook imports, and is found again; wheels are tasks; libraries are installed before."""
    for version in ("1.0", "2.0"):
        for folder in ("pip", "lib"):
            place = server.root / "workspace" / "Users" / user.name / folder
            user.client.workspace.mkdirs(f"{user.home}/{folder}")
            (place / f"tiny_of_test-{version}-py3-none-any.whl").write_bytes(wheel(version))
    path = user.put("pip/packages", PACKAGES.format(second=f"/Workspace{user.home}/pip/tiny_of_test-2.0-py3-none-any.whl"))
    bare = user.put("pip/bare", "# Databricks notebook source\nimport tiny_of_test\n")
    library = [{"whl": f"/Workspace{user.home}/lib/tiny_of_test-1.0-py3-none-any.whl"}]
    task: dict[str, Any] = {"package_name": "tiny-of-test", "entry_point": "run-tiny", "named_parameters": {"a": "b"}}
    ran = user.run(
        {"notebook_task": {"notebook_path": path}},
        {"notebook_task": {"notebook_path": bare}},
        {"python_wheel_task": task, "libraries": library},
        {"python_wheel_task": {"package_name": "tiny_of_test", "entry_point": "plain"}, "libraries": library},
        {"python_wheel_task": task},
    )
    assert ran[0].error.startswith("Cell 4: ValueError: %pip uninstall is not served here."), ran[0]
    said = ran[0].log.splitlines()
    assert "first 2.0" in said, ran[0].log
    assert "There already: pandas" in said, ran[0].log
    stale = "Imported before, so these stay as they were until dbutils.library.restartPython(): tiny_of_test"
    assert stale in said, ran[0].log
    assert "second 2.0 2.0" in said, ran[0].log
    assert f"below 2.0 /Workspace{user.home}/pip" in said
    assert "[True, False]" in said
    assert (ran[1].state, ran[1].error) == ("FAILED", "Cell 1: ModuleNotFoundError: No module named 'tiny_of_test'")
    assert ran[2].state == "SUCCESS", ran[2]
    assert ran[2].log.splitlines()[-1] == "tiny 1.0 ['--a=b']"
    assert (ran[3].state, ran[3].error) == ("FAILED", "The file has ended with status 3.")
    assert ran[4].error.startswith("EntryPointMissing: The package tiny-of-test is not installed")
    (again,) = user.run({"notebook_task": {"notebook_path": path}})
    assert "Found in the cache" in again.log


TELLS_ITS_PROCESS = """# Databricks notebook source
import json, os, sys, psutil, IPython
me = psutil.Process()
dbutils.notebook.exit(json.dumps({"pid": me.pid, "began": me.create_time(), "by": me.cmdline()[-1], "home": os.environ["HOME"],
    "heavy": [name for name in ("pandas", "pyspark", "mlflow", "numpy") if name in sys.modules]}))
"""


def test_a_process_that_waits_is_nobodys_and_serves_one_task(person: Callable[[], Person]) -> None:
    """Once a notebook has run; a task that installs something has a process from its start."""
    found: list[dict[str, Any]] = []
    for user in (person(), person(), person()):
        notebook = {"notebook_task": {"notebook_path": user.put("who", TELLS_ITS_PROCESS)}}
        if len(found) == 1:
            (installs,) = user.run({**notebook, "libraries": [{"pypi": {"package": "psutil"}}]})
            assert json.loads(installs.result or "")["by"] != "--wait", installs
        began = time.time()
        (ran,) = user.run(notebook)
        found.append({**json.loads(ran.result or ran.error), "asked": began})
    assert [one["by"] for one in found[1:]] == ["--wait"] * 2
    assert all(one["began"] < one["asked"] for one in found[1:])
    assert len({one["pid"] for one in found}) == len({one["home"] for one in found}) == len(found)
    assert [one["heavy"] for one in found] == [[]] * 3


IN_R = """# Databricks notebook source
# MAGIC %r
# MAGIC numbers <- c(3, 1, 2); cat("from R", sum(numbers), "\\n"); message("to stderr"); here <- Sys.getpid()
# MAGIC
# MAGIC writeLines("kept", file.path(Sys.getenv("HOME"), "r.txt"))

# COMMAND ----------
import os; text = open(os.path.expanduser("~/r.txt")).read().strip(); from multiprocessing import Manager
with Manager() as manager: print("numbers" in globals(), text, manager.list([1])[0])

# COMMAND ----------
# MAGIC %r
# MAGIC data.frame(sorted = sort(numbers), same = here == Sys.getpid())

# COMMAND ----------
# MAGIC %r
# MAGIC plot(numbers)

# COMMAND ----------
# MAGIC %r
# MAGIC inner <- function() stop("no such ", "luck")
# MAGIC inner()

# COMMAND ----------
print("never")
"""


@pytest.mark.skipif(shutil.which("R") is None, reason="R is not installed")
def test_cells_in_r_run_in_its_kernel(user: Person) -> None:
    """With the rights of the notebook, its outputs in the result, and gone with it."""
    (ran,) = user.run({"notebook_task": {"notebook_path": user.put("in_r", IN_R)}})
    assert (ran.state, ran.error) == ("FAILED", "Cell 5: LanguageFailed: Error in inner(): no such luck")
    assert "inner()" in ran.trace, ran.trace
    assert ran.log.startswith("from R 6 \nto stderr\n\nFalse kept 1\n"), ran.log
    assert "never" not in ran.log
    page = user.client.jobs.export_run(ran.run_id).views[0].content or ""
    assert "<td>3</td>" in page, "a table of R"
    assert "data:image/png;base64," in page
    assert "no such luck" in page
    private = "cat(file.exists('/etc/shadow'), system('cat /etc/shadow', ignore.stderr = TRUE)); tryCatch(readLines('/etc/shadow'), error = print)"
    whole = user.put("whole_in_r", f"# Databricks notebook source\n{private}\n", language="R")
    (ran,) = user.run({"notebook_task": {"notebook_path": whole}})
    assert ran.state == "SUCCESS", ran
    assert "root:" not in ran.log
    assert "cannot open" in ran.log
    assert not [one for one in psutil.process_iter(["cmdline"]) if "IRkernel::main()" in (one.info["cmdline"] or ())]
