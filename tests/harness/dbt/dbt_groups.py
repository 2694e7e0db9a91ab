# SPDX-License-Identifier: Apache-2.0
"""dbt-tests-adapter's other groups on dbt-databricks: the classes that need nothing fitted are rows of a table, those that do follow.
Run by 90-slow/test_dbt_adapter.py, one group after the other; docs/sql-clients.md says what of each group is left out, and why."""

import importlib

import pytest
from dbt.tests.adapter.grants.test_incremental_grants import BaseIncrementalGrants
from dbt.tests.adapter.grants.test_invalid_grants import BaseInvalidGrants
from dbt.tests.adapter.grants.test_model_grants import BaseModelGrants
from dbt.tests.adapter.grants.test_seed_grants import BaseSeedGrants
from dbt.tests.adapter.grants.test_snapshot_grants import BaseSnapshotGrants
from dbt.tests.adapter.utils.data_types.test_type_int import BaseTypeInt
from dbt.tests.adapter.utils.test_timestamps import BaseCurrentTimestamps
from dbt.tests.util import run_dbt

UTILS = """any_value:AnyValue array_append:ArrayAppend array_concat:ArrayConcat array_construct:ArrayConstruct bool_or:BoolOr cast_bool_to_text:CastBoolToText
concat:Concat current_timestamp:CurrentTimestampAware date_spine:DateSpine datediff:DateDiff date_trunc:DateTrunc equals:Equals
escape_single_quotes:EscapeSingleQuotesBackslash except:Except generate_series:GenerateSeries get_powers_of_two:GetPowersOfTwo hash:Hash intersect:Intersect
last_day:LastDay length:Length null_compare:MixedNullCompare null_compare:NullCompare position:Position replace:Replace right:Right safe_cast:SafeCast
split_part:SplitPart string_literal:StringLiteral validate_sql:ValidateSqlMethod"""

# Group: its module below dbt.tests.adapter, and the classes of it.
GROUPS = {
    "caching": [("caching.test_caching", "BaseNoPopulateCache BaseCachingLowercaseModel BaseCachingUppercaseModel BaseCachingSelectedSchemaOnly")],
    "dbt_clone": [("dbt_clone.test_dbt_clone", "BaseClonePossible")],
    "dbt_show": [("dbt_show.test_dbt_show", "BaseShowLimit BaseShowSqlHeader")],
    "empty": [("empty.test_empty", "BaseTestEmpty BaseTestEmptyInlineSourceRef")],
    "functions": [("functions.test_udfs", "UDFsBasic")],
    "hooks": [("hooks.test_run_hooks", "BaseAfterRunHooks")],
    "query_comment": [("query_comment.test_query_comment", "BaseQueryComments BaseMacroQueryComments BaseMacroArgsQueryComments BaseMacroInvalidQueryComments"
                       " BaseNullQueryComments BaseEmptyQueryComments")],
    "relations": [("relations.test_changing_relation_type", "BaseChangeRelationTypeValidator"),
                  ("relations.test_dropping_schema_named", "BaseDropSchemaNamed")],
    "sample_mode": [("sample_mode.test_sample_mode", "BaseSampleModeTest")],
    "simple_copy": [("simple_copy.test_simple_copy", "SimpleCopyBase EmptyModelsArentRunBase")],
    "simple_seed": [("simple_seed.test_seed", "BaseTestEmptySeed BaseSimpleSeedEnabledViaConfig")],  # the others compare with a table made by another dialect
    "simple_snapshot": [("simple_snapshot.test_snapshot", "BaseSnapshotCheck")],
    "store_test_failures": [("store_test_failures_tests.basic", "StoreTestFailuresAsInteractions StoreTestFailuresAsProjectLevelOff"
                             " StoreTestFailuresAsProjectLevelView StoreTestFailuresAsProjectLevelEphemeral StoreTestFailuresAsGeneric"
                             " StoreTestFailuresAsExceptions"),
                            ("store_test_failures_tests.test_store_test_failures", "BaseStoreTestFailures")],
    "unit_testing": [("unit_testing.test_case_insensitivity", "BaseUnitTestCaseInsensivity"), ("unit_testing.test_invalid_input", "BaseUnitTestInvalidInput")],
    "utils": [(f"utils.test_{module}", f"Base{name}") for module, name in (pair.split(":") for pair in UTILS.split())]
    + [(f"utils.data_types.test_type_{name.lower()}", f"BaseType{name}") for name in ("BigInt", "String", "Timestamp", "Boolean")],
}

for group, modules in GROUPS.items():
    for module, names in modules:
        for name in names.split():
            base = getattr(importlib.import_module(f"dbt.tests.adapter.{module}"), name)
            globals()[f"Test_{group}_{name}"] = type(f"Test_{group}_{name}", (base,), {"__module__": __name__})
del base


# ---- fitted: what the adapter says of itself ----

class Test_utils_Int(BaseTypeInt):
    """The group's seed would be read as BIGINT: the adapter takes the smallest type of an inferred column to be that."""

    @pytest.fixture(scope="class")
    def seeds(self):
        return {"expected.csv": "int_col\n12345678\n", "expected.yml": "seeds: [{name: expected, config: {column_types: {int_col: int}}}]"}


class Test_utils_CurrentTimestamps(BaseCurrentTimestamps):
    """current_timestamp_in_utc of the adapter is a timestamp, as all of its own."""

    @pytest.fixture(scope="class")
    def models(self):
        return {"get_current_timestamp.sql": "select {{ current_timestamp() }} as current_timestamp"}

    @pytest.fixture(scope="class")
    def expected_schema(self):
        return {"current_timestamp": "timestamp"}

    @pytest.fixture(scope="class")
    def expected_sql(self):
        return "select current_timestamp() as current_timestamp"


class Test_simple_seed_Twice:
    """A seed, loaded again and with --full-refresh, has its rows once."""

    @pytest.fixture(scope="class")
    def seeds(self):
        return {"numbers.csv": "id,amount,day,ok,name\n1,1.50,2024-01-02,true,a\n2,,,false,\"b, c\"\n",
                "numbers.yml": "seeds: [{name: numbers, config: {column_types: {amount: 'decimal(10,2)', day: date}}}]"}

    def test_a_seed_has_its_types_and_rows(self, project):
        for more in ([], [], ["--full-refresh"]):
            assert len(run_dbt(["seed", *more])) == 1
            got = project.run_sql("select id, cast(amount as string), cast(day as string), ok, name from numbers order by id", fetch="all")
            assert [tuple(r) for r in got] == [(1, "1.50", "2024-01-02", True, "a"), (2, None, None, False, "b, c")]


class Grants:
    """The right to write is MODIFY here. The users are those of DBT_TEST_USER_1 and so on, which the test makes."""

    def privilege_grantee_name_overrides(self):
        return {"select": "select", "insert": "modify", "fake_privilege": "fake_privilege", "invalid_user": "invalid_user"}

    def assert_expected_grants_match_actual(self, project, relation_name, expected_grants):
        actual = self.get_grants_on_relation(project, relation_name)
        assert {k.lower(): sorted(v) for k, v in actual.items()} == {k.lower(): sorted(v) for k, v in expected_grants.items()}


class Test_grants_Model(Grants, BaseModelGrants):
    pass


class Test_grants_Incremental(Grants, BaseIncrementalGrants):
    pass


class Test_grants_Seed(Grants, BaseSeedGrants):
    pass


class Test_grants_Snapshot(Grants, BaseSnapshotGrants):
    pass


class Test_grants_Invalid(Grants, BaseInvalidGrants):
    def grantee_does_not_exist_error(self):
        return "invalid_user"

    def privilege_does_not_exist_error(self):
        return "fake_privilege"
