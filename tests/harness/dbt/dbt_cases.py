# SPDX-License-Identifier: Apache-2.0
"""dbt-tests-adapter's groups basic and incremental on dbt-databricks: its classes, with what its documentation says an adapter states
of itself (strategies that Delta has, names of types, statistics). Run by 90-slow/test_dbt_adapter.py."""

import pytest
from dbt.tests.adapter.basic import expected_catalog as catalog
from dbt.tests.adapter.basic.test_adapter_methods import BaseAdapterMethod
from dbt.tests.adapter.basic.test_base import BaseSimpleMaterializations
from dbt.tests.adapter.basic.test_docs_generate import BaseDocsGenerate, BaseDocsGenReferences
from dbt.tests.adapter.basic.test_empty import BaseEmpty
from dbt.tests.adapter.basic.test_ephemeral import BaseEphemeral
from dbt.tests.adapter.basic.test_generic_tests import BaseGenericTests
from dbt.tests.adapter.basic.test_incremental import BaseIncremental, BaseIncrementalBadStrategy, BaseIncrementalNotSchemaChange
from dbt.tests.adapter.basic.test_singular_tests import BaseSingularTests
from dbt.tests.adapter.basic.test_singular_tests_ephemeral import BaseSingularTestsEphemeral
from dbt.tests.adapter.basic.test_snapshot_check_cols import BaseSnapshotCheckCols
from dbt.tests.adapter.basic.test_snapshot_timestamp import BaseSnapshotTimestamp
from dbt.tests.adapter.basic.test_table_materialization import BaseTableMaterialization
from dbt.tests.adapter.basic.test_validate_connection import BaseValidateConnection
from dbt.tests.adapter.incremental.test_incremental_merge_exclude_columns import BaseMergeExcludeColumns
from dbt.tests.adapter.incremental.test_incremental_microbatch import BaseMicrobatch
from dbt.tests.adapter.incremental.test_incremental_on_schema_change import BaseIncrementalOnSchemaChange
from dbt.tests.adapter.incremental.test_incremental_predicates import BaseIncrementalPredicates
from dbt.tests.adapter.incremental.test_incremental_unique_id import BaseIncrementalUniqueKey
from dbt.tests.util import AnyString, run_dbt


class TestSimpleMaterializations(BaseSimpleMaterializations):
    pass


class TestAdapterMethod(BaseAdapterMethod):
    pass


class TestEmpty(BaseEmpty):
    pass


class TestEphemeral(BaseEphemeral):
    pass


class TestGenericTests(BaseGenericTests):
    pass


class TestIncremental(BaseIncremental):
    pass


class TestIncrementalNotSchemaChange(BaseIncrementalNotSchemaChange):
    pass


class TestIncrementalBadStrategy(BaseIncrementalBadStrategy):
    """The adapter asks for the strategy once there is a table to merge into, so the run that makes it passes."""

    def test_incremental_invalid_strategy(self, project):
        assert len(run_dbt(["seed"])) == 2
        assert len(run_dbt(["run"])) == 1
        failed = run_dbt(["run"], expect_pass=False).results
        assert len(failed) == 1 and 'macro with the name "get_incremental_bad_strategy_sql"' in failed[0].message, failed


class TestSingularTests(BaseSingularTests):
    pass


class TestSingularTestsEphemeral(BaseSingularTestsEphemeral):
    pass


class TestSnapshotCheckCols(BaseSnapshotCheckCols):
    pass


class TestSnapshotTimestamp(BaseSnapshotTimestamp):
    pass


class TestTableMaterialization(BaseTableMaterialization):
    pass


class TestValidateConnection(BaseValidateConnection):
    pass


class AnyStats:
    """Statistics of a relation, whatever they count."""

    def __eq__(self, other):
        return isinstance(other, dict) and "has_stats" in other


NAMES = {"id_type": "bigint", "text_type": "string", "time_type": "timestamp", "view_type": "view", "table_type": "table"}


class TestDocsGenerate(BaseDocsGenerate):
    @pytest.fixture(scope="class")
    def expected_catalog(self, project):
        return catalog.base_expected_catalog(project, role=AnyString(), model_stats=AnyStats(), seed_stats=AnyStats(), **NAMES)


class TestDocsGenReferences(BaseDocsGenReferences):
    @pytest.fixture(scope="class")
    def expected_catalog(self, project):
        expected = catalog.expected_references_catalog(project, role=AnyString(), bigint_type="bigint", model_stats=AnyStats(), seed_stats=AnyStats(), **NAMES)
        for node in [*expected["nodes"].values(), *expected["sources"].values()]:  # the group counts columns from 1, the adapter's tests from 0
            node["columns"] = {name: {**column, "index": column["index"] - 1} for name, column in node["columns"].items()}
        return expected


# ---- incremental ----

class TestUniqueKey(BaseIncrementalUniqueKey):
    pass


class TestOnSchemaChange(BaseIncrementalOnSchemaChange):
    """Columns are dropped, which Delta does where they are mapped by name."""

    @pytest.fixture(scope="class")
    def project_config_update(self):
        return {"models": {"+tblproperties": {"delta.columnMapping.mode": "name"}}}


class TestPredicates(BaseIncrementalPredicates):
    """The group's own strategy is delete+insert; Delta's is merge."""

    @pytest.fixture(scope="class")
    def project_config_update(self):
        return {"models": {"+incremental_predicates": ["dbt_internal_dest.id != 2"], "+incremental_strategy": "merge"}}


class TestPredicatesByOldName(BaseIncrementalPredicates):
    @pytest.fixture(scope="class")
    def project_config_update(self):
        return {"models": {"+predicates": ["dbt_internal_dest.id != 2"], "+incremental_strategy": "merge"}}


class TestPredicatesDeleteInsert(BaseIncrementalPredicates):
    """The group holds the predicates against the rows that are there; the adapter holds them against the new ones, so of id 2 none comes."""

    @pytest.fixture(scope="class")
    def seeds(self):
        return {"expected_delete_insert_incremental_predicates.csv": "id,msg,color\n1,hey,blue\n2,goodbye,red\n3,anyway,purple\n"}

    def get_expected_fields(self, relation, seed_rows, opt_model_count=None):
        return super().get_expected_fields(relation, 3, opt_model_count)


class TestMergeExcludeColumns(BaseMergeExcludeColumns):
    pass


class TestMicrobatch(BaseMicrobatch):
    """One row a day, by the adapter's strategy: the rows of the day are replaced."""
