"""A project laid out as the public template for MLOps projects lays it out; its notebook is as such notebooks are."""

from tests.workspace.runtime.conftest import Person

TRAIN = """# Databricks notebook source
##################################################################################
# Model Training Notebook
#
# Parameters:
# * env (required): - Environment the notebook is run in.
##################################################################################

# COMMAND ----------

# MAGIC %load_ext autoreload
# MAGIC %autoreload 2

# COMMAND ----------

import os
notebook_path =  '/Workspace/' + os.path.dirname(dbutils.notebook.entry_point.getDbutils().notebook().getContext().notebookPath().get())
%cd $notebook_path

# COMMAND ----------

# MAGIC %pip install -r ../../requirements.txt

# COMMAND ----------

dbutils.library.restartPython()

# COMMAND ----------

# DBTITLE 1, Notebook arguments
dbutils.widgets.text("output_table_name", "main.default.t", label="Output")
dbutils.widgets.dropdown("env", "dev", ["dev", "staging", "prod"], "Environment Name")

# COMMAND ----------

import os
notebook_path =  '/Workspace/' + os.path.dirname(dbutils.notebook.entry_point.getDbutils().notebook().getContext().notebookPath().get())
%cd $notebook_path
%cd ../features

# COMMAND ----------

import sys
sys.path.append("..")
from importlib import import_module
mod = import_module("features.pickup_features")
df = spark.createDataFrame(mod.compute_features(dbutils.widgets.get("env")))
display(df)

# COMMAND ----------

import sys
sys.path.append(os.path.abspath(os.path.join(os.getcwd(), "..", "..")))
from project.validation.validation import describe
dbutils.notebook.exit(describe(df.collect()[0]))
"""
SQL = """-- Databricks notebook source
CREATE OR REPLACE TEMPORARY VIEW of_widgets AS SELECT 'sql in ' || :env AS said

-- COMMAND ----------

-- MAGIC %python
-- MAGIC said = spark.table("of_widgets").collect()[0].said

-- COMMAND ----------

-- DBTITLE 1,Leave
-- MAGIC %python
-- MAGIC dbutils.notebook.exit(said)
"""


def test_a_project_of_the_public_template(user: Person) -> None:
    """Training beside features and validation, each imported by another way; and a notebook of SQL beside it."""
    user.put("requirements.txt", "pandas>=2\n# no more\n", None)
    features = "import pandas as pd\n\n\ndef compute_features(env):\n    return pd.DataFrame({'env': [env], 'n': [1]})\n"
    user.put("project/features/pickup_features.py", features, None)
    user.put("project/features/__init__.py", "#\n", None)
    user.put("project/validation/validation.py", "def describe(row):\n    return f'{row.n} in {row.env}'\n", None)
    train = user.put("project/training/Train", TRAIN)
    sql = user.put("project/training/Query", SQL, "SQL")
    ran = user.run(
        {"notebook_task": {"notebook_path": f"/Workspace{train}", "base_parameters": {"env": "staging"}}},
        {"notebook_task": {"notebook_path": sql, "base_parameters": {"env": "prod"}}},
    )
    assert [(one.state, one.result, one.error) for one in ran] == [
        ("SUCCESS", "1 in staging", ""),
        ("SUCCESS", "sql in prod", ""),
    ], ran[0].log
