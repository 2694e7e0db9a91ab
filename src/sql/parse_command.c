/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statements that the catalog, the session or the table's keeper carry out, as a table of patterns. A row makes an
 * AST_COMMAND whose text is the row's name. To add a statement: a row in its order (rows of one first word are tried from
 * above; the first whose leading words stand in the text wins), and who carries it out.
 *
 * A pattern is a list of elements separated by blanks:
 *   WORD, WORD|WORD    one of these words
 *   'x'                a character
 *   [ … ]              may be missing; taken when its beginning fits
 *   ( … / … )          one of these, the first whose beginning fits
 *   { … / … }          any of these, any number of times, in any order
 *   +NAME              sets flag AST_F_NAME
 *   :name              gives the command another name
 *   <what:SLOT>        reads `what` (readers[] below) into SLOT; without a slot the reader knows its slots
 */
#include "sql/parse_command.h"

#define OPTS_LIKE "[ ( LIKE <string:PATTERN> / <string:PATTERN> ) ]"
#define IN_SCHEMA "[ FROM|IN <name:SCHEMA> ]"
#define IF_EXISTS "[ IF EXISTS +IF_EXISTS ]"
#define IF_NEW "[ IF NOT EXISTS +IF_NOT_EXISTS ]"
#define CASCADE "[ ( CASCADE +CASCADE / RESTRICT ) ]"
#define OWNER_TO "OWNER TO <principal:OWNER> :"
#define TAGS(what) "SET TAGS <props:TAGS> :" what "_set_tags / UNSET TAGS <keys:TAGS> :" what "_unset_tags"

const struct sql_command_row sql_commands[] = {
    /* ---- ALTER ---- */
    {"alter_catalog", "ALTER CATALOG <name:NAME> ( [ SET ] " OWNER_TO "alter_catalog_owner / " TAGS("alter_catalog")
     " / ENABLE|DISABLE|INHERIT PREDICTIVE OPTIMIZATION :alter_catalog_optimization / DEFAULT COLLATION <ident:COLLATION> :alter_catalog_collation"
     " / RENAME TO <name:NEWNAME> :alter_catalog_rename / OPTIONS <props:OPTIONS> :alter_catalog_options"
     " / SET DBPROPERTIES|PROPERTIES <props:PROPERTIES> :alter_catalog_properties )"},
    {"alter_schema", "ALTER SCHEMA|DATABASE|NAMESPACE <name:NAME> ( [ SET ] " OWNER_TO "alter_schema_owner / " TAGS("alter_schema")
     " / SET DBPROPERTIES|PROPERTIES <props:PROPERTIES> :alter_schema_properties / UNSET DBPROPERTIES|PROPERTIES [ IF EXISTS +IF_EXISTS ] <keys:PROPERTIES> :alter_schema_unset_properties"
     " / SET LOCATION <string:LOCATION> :alter_schema_location / ENABLE|DISABLE|INHERIT PREDICTIVE OPTIMIZATION :alter_schema_optimization"
     " / RENAME TO <name:NEWNAME> :alter_schema_rename / DEFAULT COLLATION <ident:COLLATION> :alter_schema_collation )"},
    {"alter_table", "ALTER TABLE <name:NAME> ( RENAME TO <name:NEWNAME> :alter_table_rename"
     " / RENAME COLUMN <name:COLUMN> TO <ident:NEWNAME> :alter_table_rename_column"
     " / PARTITION <parts:PARTITION> ( RENAME TO PARTITION <parts:VALUES> :alter_table_rename_partition"
     " / SET LOCATION <string:LOCATION> :alter_table_partition_location / SET SERDE|SERDEPROPERTIES <rest:FORMAT> :alter_table_serde )"
     " / ADD COLUMN|COLUMNS " IF_NEW " <columns:COLUMNS> :alter_table_add_columns"
     " / ADD [ IF NOT EXISTS +IF_NOT_EXISTS ] PARTITION <parts:PARTITION> [ LOCATION <string:LOCATION> ] :alter_table_add_partition { PARTITION <moreparts> [ LOCATION <string:LOCATION> ] }"
     " / ADD <constraint:CONSTRAINTS> :alter_table_add_constraint"
     " / DROP CONSTRAINT " IF_EXISTS " <ident:KEY> " CASCADE " :alter_table_drop_constraint"
     " / DROP PRIMARY KEY " IF_EXISTS " " CASCADE " :alter_table_drop_primary_key"
     " / DROP FOREIGN KEY " IF_EXISTS " <idents:NAMES> " CASCADE " :alter_table_drop_foreign_key"
     " / DROP FEATURE <key:KEY> [ TRUNCATE HISTORY +ALL ] :alter_table_drop_feature"
     " / DROP ROW FILTER :alter_table_drop_row_filter"
     " / DROP COLUMN|COLUMNS " IF_EXISTS " ( '(' <names:COLUMNS> ')' / <names:COLUMNS> ) :alter_table_drop_columns"
     " / DROP [ IF EXISTS +IF_EXISTS ] PARTITION <parts:PARTITION> { ',' PARTITION <moreparts> } [ PURGE ] :alter_table_drop_partition"
     " / SET ROW FILTER <filter:FILTER> :alter_table_set_row_filter"
     " / " TAGS("alter_table")
     " / SET TBLPROPERTIES <props:PROPERTIES> :alter_table_set_properties"
     " / UNSET TBLPROPERTIES " IF_EXISTS " <keys:PROPERTIES> :alter_table_unset_properties"
     " / SET LOCATION <string:LOCATION> :alter_table_location / SET SERDE|SERDEPROPERTIES <rest:FORMAT> :alter_table_serde"
     " / SET MANAGED [ TRUNCATE UNIFORM HISTORY ] :alter_table_set_managed / UNSET MANAGED :alter_table_unset_managed / SET EXTERNAL :alter_table_set_external"
     " / [ SET ] " OWNER_TO "alter_table_owner / CLUSTER BY <cluster:CLUSTER> :alter_table_cluster / REPLACE COLUMNS <columns:COLUMNS> :alter_table_replace_columns"
     " / RECOVER PARTITIONS :repair_table / ENABLE|DISABLE|INHERIT PREDICTIVE OPTIMIZATION :alter_table_optimization"
     " / DEFAULT COLLATION <ident:COLLATION> :alter_table_collation"
     " / ALTER|CHANGE <altercolumns> :alter_table_alter_column )"},
    {"alter_view", "ALTER VIEW <name:NAME> ( AS <query:QUERY> :alter_view_query / RENAME TO <name:NEWNAME> :alter_view_rename"
     " / SET TBLPROPERTIES <props:PROPERTIES> :alter_view_set_properties / UNSET TBLPROPERTIES " IF_EXISTS " <keys:PROPERTIES> :alter_view_unset_properties"
     " / [ SET ] " OWNER_TO "alter_view_owner / " TAGS("alter_view") " / WITH SCHEMA <rest:SCHEMA> :alter_view_schema"
     " / ALTER|CHANGE <altercolumns> :alter_table_alter_column )"},
    {"alter_materialized_view", "ALTER MATERIALIZED VIEW <name:NAME> ( RENAME TO <name:NEWNAME> :alter_materialized_view_rename / [ SET ] " OWNER_TO "alter_materialized_view_owner / " TAGS("alter_materialized_view")
     " / ADD|ALTER|DROP SCHEDULE|TRIGGER [ <rest:FORMAT> ] :alter_materialized_view_schedule / SET ROW FILTER <filter:FILTER> :alter_table_set_row_filter / DROP ROW FILTER :alter_table_drop_row_filter"
     " / ALTER|CHANGE <altercolumns> :alter_table_alter_column )"},
    {"alter_streaming_table", "ALTER STREAMING TABLE <name:NAME> ( [ SET ] " OWNER_TO "alter_streaming_table_owner / " TAGS("alter_streaming_table")
     " / ADD|ALTER|DROP SCHEDULE|TRIGGER [ <rest:FORMAT> ] :alter_streaming_table_schedule / SET ROW FILTER <filter:FILTER> :alter_table_set_row_filter / DROP ROW FILTER :alter_table_drop_row_filter"
     " / ALTER|CHANGE <altercolumns> :alter_table_alter_column )"},
    {"alter_volume", "ALTER VOLUME <name:NAME> ( RENAME TO <name:NEWNAME> :alter_volume_rename / [ SET ] " OWNER_TO "alter_volume_owner / " TAGS("alter_volume") " )"},
    {"alter_function", "ALTER FUNCTION <name:NAME> ( [ SET ] " OWNER_TO "alter_function_owner / " TAGS("alter_function") " )"},
    {"alter_location", "ALTER EXTERNAL LOCATION <ident:NAME> ( RENAME TO <ident:NEWNAME> :alter_location_rename / SET URL <string:LOCATION> [ FORCE +ALL ] :alter_location_url"
     " / SET STORAGE CREDENTIAL <ident:KEY> :alter_location_credential / [ SET ] " OWNER_TO "alter_location_owner / " TAGS("alter_location") " )"},
    {"alter_credential", "ALTER [ STORAGE|SERVICE ] CREDENTIAL <ident:NAME> ( RENAME TO <ident:NEWNAME> :alter_credential_rename / [ SET ] " OWNER_TO "alter_credential_owner / " TAGS("alter_credential") " )"},
    {"alter_connection", "ALTER CONNECTION <ident:NAME> ( RENAME TO <ident:NEWNAME> :alter_connection_rename / OPTIONS <props:OPTIONS> :alter_connection_options / [ SET ] " OWNER_TO "alter_connection_owner / " TAGS("alter_connection") " )"},
    {"alter_share", "ALTER SHARE <ident:NAME> <rest:FORMAT>"},
    {"alter_recipient", "ALTER RECIPIENT <ident:NAME> <rest:FORMAT>"},
    {"alter_provider", "ALTER PROVIDER <ident:NAME> <rest:FORMAT>"},
    {"alter_group", "ALTER GROUP <ident:NAME> ( ADD <members> :alter_group_add / DROP <members> :alter_group_drop )"},

    /* ---- ANALYZE, CACHE, COMMENT, COPY ---- */
    {"analyze_table", "ANALYZE TABLE <name:NAME> [ PARTITION <parts:PARTITION> ] COMPUTE [ DELTA +SPECIAL ] STATISTICS [ ( NOSCAN +FIRST / FOR ALL COLUMNS +ALL / FOR COLUMNS ( '(' <names:COLUMNS> ')' / <names:COLUMNS> ) ) ]"},
    {"analyze_tables", "ANALYZE TABLES " IN_SCHEMA " COMPUTE STATISTICS [ NOSCAN +FIRST ]"},
    {"cache_select", "CACHE SELECT <expr:ITEMS> { ',' <expr:ITEMS> } FROM <name:NAME> [ WHERE <expr:WHERE> ]"},
    {"cache_table", "CACHE [ LAZY +FIRST ] TABLE <name:NAME> [ OPTIONS <props:OPTIONS> ] [ ( AS <query:QUERY> / <query:QUERY> ) ]"},
    {"call", "CALL <callable:CALL>"},
    {"clear_cache", "CLEAR CACHE"},
    {"comment_on", "COMMENT ON ( CATALOG|CONNECTION|PROVIDER|RECIPIENT|SHARE|VOLUME|TABLE|SCHEMA|DATABASE|NAMESPACE|VIEW|FUNCTION|PROCEDURE|COLUMN <previous:KEY> <name:NAME>"
     " / MATERIALIZED VIEW <previous:KEY> <name:NAME> / EXTERNAL LOCATION <previous:KEY> <name:NAME> ) IS ( NULL / <string:COMMENT> )"},
    {"commit", "COMMIT [ WORK|TRANSACTION ]"},
    {"begin_transaction", "BEGIN [ TRANSACTION|WORK ]"},
    {"rollback", "ROLLBACK [ WORK|TRANSACTION ]"},
    {"convert_to_delta", "CONVERT TO DELTA <name:NAME> [ NO STATISTICS +FIRST ] [ PARTITIONED BY '(' <columndefs:PARTITION> ')' ]"},
    {"copy_into", "COPY INTO <name:NAME> [ BY POSITION +SPECIAL ] [ '(' <names:NAMES> ')' ] FROM <copysource> { FILEFORMAT '=' <ident:FORMAT> / FILES '=' <strings:FILES> / PATTERN '=' <string:PATTERN>"
     " / VALIDATE [ ALL|<number:LIMIT> ] [ ROWS ] +EXTENDED / FORMAT_OPTIONS <props:OPTIONS> / COPY_OPTIONS <props:PROPERTIES> / WITH <credential> }"},

    /* ---- CREATE (tables, views and functions: parse_table.c) ---- */
    {"create_catalog", "CREATE [ FOREIGN +EXTERNAL ] CATALOG " IF_NEW " <name:NAME> { USING SHARE <name:TARGET> / USING CONNECTION <ident:TARGET> / MANAGED LOCATION <string:LOCATION> / COMMENT <string:COMMENT> / OPTIONS <props:OPTIONS> / DEFAULT COLLATION <ident:COLLATION> }"},
    {"create_schema", "CREATE SCHEMA|DATABASE|NAMESPACE " IF_NEW " <name:NAME> { COMMENT <string:COMMENT> / MANAGED LOCATION <string:LOCATION> +SPECIAL / LOCATION <string:LOCATION> / WITH DBPROPERTIES|PROPERTIES <props:PROPERTIES> / DEFAULT COLLATION <ident:COLLATION> }"},
    {"create_volume", "CREATE [ EXTERNAL +EXTERNAL ] VOLUME " IF_NEW " <name:NAME> { LOCATION <string:LOCATION> / COMMENT <string:COMMENT> }"},
    {"create_location", "CREATE EXTERNAL LOCATION " IF_NEW " <ident:NAME> URL <string:LOCATION> [ WITH ] '(' [ STORAGE ] CREDENTIAL <ident:KEY> ')' [ COMMENT <string:COMMENT> ]"},
    {"create_credential", "CREATE [ STORAGE|SERVICE ] CREDENTIAL " IF_NEW " <ident:NAME> <rest:FORMAT>"},
    {"create_connection", "CREATE CONNECTION|SERVER " IF_NEW " <ident:NAME> TYPE <ident:TYPE> { OPTIONS <props:OPTIONS> / COMMENT <string:COMMENT> }"},
    {"create_share", "CREATE SHARE " IF_NEW " <ident:NAME> [ COMMENT <string:COMMENT> ]"},
    {"create_recipient", "CREATE RECIPIENT " IF_NEW " <ident:NAME> { USING ID <string:KEY> / COMMENT <string:COMMENT> / PROPERTIES <props:PROPERTIES> }"},
    {"create_group", "CREATE GROUP <ident:NAME> [ WITH <members> ]"},
    {"create_policy", "CREATE [ OR REPLACE +REPLACE ] POLICY <ident:NAME> <rest:FORMAT>"},
    {"create_bloomfilter_index", "CREATE BLOOMFILTER INDEX ON [ TABLE ] <name:NAME> <rest:FORMAT>"},
    {"create_index", "CREATE INDEX <rest:FORMAT>"},

    /* ---- DENY, DESCRIBE ---- */
    {"deny", "DENY <grants> ON <securable> TO <principal:PRINCIPAL>"},
    {"describe_function", "DESC|DESCRIBE FUNCTION [ EXTENDED +EXTENDED ] <funcname:NAME>"},
    {"describe_catalog", "DESC|DESCRIBE CATALOG [ EXTENDED +EXTENDED ] <name:NAME> [ AS JSON +JSON ]"},
    {"describe_schema", "DESC|DESCRIBE SCHEMA|DATABASE|NAMESPACE [ EXTENDED +EXTENDED ] <name:NAME> [ AS JSON +JSON ]"},
    {"describe_volume", "DESC|DESCRIBE VOLUME <name:NAME> [ AS JSON +JSON ]"},
    {"describe_location", "DESC|DESCRIBE EXTERNAL LOCATION <ident:NAME>"},
    {"describe_credential", "DESC|DESCRIBE [ STORAGE|SERVICE ] CREDENTIAL <ident:NAME>"},
    {"describe_connection", "DESC|DESCRIBE CONNECTION <ident:NAME>"},
    {"describe_share", "DESC|DESCRIBE SHARE <ident:NAME>"},
    {"describe_recipient", "DESC|DESCRIBE RECIPIENT <ident:NAME>"},
    {"describe_provider", "DESC|DESCRIBE PROVIDER <ident:NAME>"},
    {"describe_procedure", "DESC|DESCRIBE PROCEDURE [ EXTENDED +EXTENDED ] <name:NAME>"},
    {"describe_policy", "DESC|DESCRIBE POLICY <ident:NAME> ON <securable>"},
    {"describe_history", "DESC|DESCRIBE HISTORY [ TABLE ] <target:NAME> [ LIMIT <number:LIMIT> ]"},
    {"describe_detail", "DESC|DESCRIBE DETAIL [ TABLE ] <target:NAME>"},
    {"describe_table", "DESC|DESCRIBE TABLE EXTENDED|FORMATTED +EXTENDED <name:NAME> [ PARTITION <parts:PARTITION> ] [ AS JSON +JSON ] [ <name:COLUMN> ] [ AS JSON +JSON ] <describechecks>"},
    {"describe_table", "DESC|DESCRIBE TABLE <name:NAME> [ PARTITION <parts:PARTITION> ] [ AS JSON +JSON ] [ <name:COLUMN> ] [ AS JSON +JSON ] <describechecks>"},
    {"describe_query", "DESC|DESCRIBE [ QUERY ] <describedquery>"},
    {"describe_table", "DESC|DESCRIBE EXTENDED|FORMATTED +EXTENDED <name:NAME> [ PARTITION <parts:PARTITION> ] [ AS JSON +JSON ] [ <name:COLUMN> ] [ AS JSON +JSON ] <describechecks>"},
    {"describe_table", "DESC|DESCRIBE <name:NAME> [ PARTITION <parts:PARTITION> ] [ AS JSON +JSON ] [ <name:COLUMN> ] [ AS JSON +JSON ] <describechecks>"},

    /* ---- DROP ---- */
    {"drop_catalog", "DROP CATALOG " IF_EXISTS " <name:NAME> " CASCADE},
    {"drop_schema", "DROP SCHEMA|DATABASE|NAMESPACE " IF_EXISTS " <name:NAME> " CASCADE},
    {"drop_table", "DROP TABLE " IF_EXISTS " <name:NAME> [ PURGE +ALL ]"},
    {"drop_view", "DROP VIEW " IF_EXISTS " <name:NAME>"},
    {"drop_materialized_view", "DROP MATERIALIZED VIEW " IF_EXISTS " <name:NAME>"},
    {"drop_streaming_table", "DROP STREAMING TABLE " IF_EXISTS " <name:NAME>"},
    {"drop_function", "DROP [ TEMPORARY|TEMP +TEMP ] FUNCTION " IF_EXISTS " <name:NAME>"},
    {"drop_variable", "DROP TEMPORARY|TEMP VARIABLE|VAR " IF_EXISTS " <name:NAME>"},
    {"drop_procedure", "DROP PROCEDURE " IF_EXISTS " <name:NAME>"},
    {"drop_volume", "DROP VOLUME " IF_EXISTS " <name:NAME>"},
    {"drop_location", "DROP EXTERNAL LOCATION " IF_EXISTS " <ident:NAME> [ FORCE +ALL ]"},
    {"drop_credential", "DROP [ STORAGE|SERVICE ] CREDENTIAL " IF_EXISTS " <ident:NAME> [ FORCE +ALL ]"},
    {"drop_connection", "DROP CONNECTION " IF_EXISTS " <ident:NAME>"},
    {"drop_share", "DROP SHARE " IF_EXISTS " <ident:NAME>"},
    {"drop_recipient", "DROP RECIPIENT " IF_EXISTS " <ident:NAME>"},
    {"drop_provider", "DROP PROVIDER " IF_EXISTS " <ident:NAME>"},
    {"drop_group", "DROP GROUP <ident:NAME>"},
    {"drop_policy", "DROP POLICY " IF_EXISTS " <ident:NAME> ON <securable>"},
    {"drop_bloomfilter_index", "DROP BLOOMFILTER INDEX ON [ TABLE ] <name:NAME> <rest:FORMAT>"},

    /* ---- tables' upkeep ---- */
    {"fsck_repair", "FSCK REPAIR TABLE <target:NAME> [ DRY RUN +JSON ]"},
    {"generate", "GENERATE <ident:KEY> FOR TABLE <target:NAME>"},
    {"get_file", "GET <string:LOCATION> TO <string:TARGET>"},
    {"put_file", "PUT <string:LOCATION> INTO <string:TARGET> [ OVERWRITE +OVERWRITE ]"},
    {"remove_file", "REMOVE <string:LOCATION>"},
    {"list_files", "LIST|LS <string:LOCATION> [ LIMIT <number:LIMIT> ]"},
    {"list_resources", "LIST ARCHIVE|ARCHIVES|FILE|FILES|JAR|JARS [ <rest:FORMAT> ]"},
    {"add_resource", "ADD ARCHIVE|ARCHIVES|FILE|FILES|JAR|JARS <rest:FORMAT>"},
    {"load_data", "LOAD DATA [ LOCAL +SPECIAL ] INPATH <string:LOCATION> [ OVERWRITE +OVERWRITE ] INTO TABLE <name:NAME> [ PARTITION <parts:PARTITION> ]"},
    {"repair_table", "MSCK REPAIR TABLE <name:NAME> [ ADD|DROP|SYNC PARTITIONS ]"},
    {"repair_table", "REPAIR TABLE <name:NAME> [ ( ADD|DROP|SYNC PARTITIONS / SYNC METADATA ) ]"},
    {"msck_privileges", "MSCK REPAIR <rest:FORMAT>"},
    {"optimize", "OPTIMIZE <target:NAME> { FULL +ALL / WHERE <expr:WHERE> / ZORDER BY ( '(' <names:ZORDER> ')' / <names:ZORDER> ) }"},
    {"reorg_table", "REORG TABLE <target:NAME> { WHERE <expr:WHERE> / APPLY '(' ( PURGE :reorg_purge / UPGRADE UNIFORM '(' <rest:FORMAT> :reorg_upgrade_uniform / SHRED VARIANT ')' :reorg_shred_variant ) / ')' }"},
    {"restore", "RESTORE [ TABLE ] <target:NAME> [ TO ] <timetravel>"},
    {"vacuum", "VACUUM <target:NAME> { LITE +FIRST / FULL +ALL / RETAIN <expr:RETAIN> HOURS / USING INVENTORY <rest:FORMAT> / DRY RUN +JSON }"},
    {"truncate_table", "TRUNCATE TABLE <name:NAME> [ PARTITION <parts:PARTITION> ]"},
    {"undrop_table", "UNDROP [ MATERIALIZED ] TABLE|VIEW ( WITH ID <string:KEY> / <name:NAME> )"},
    {"undrop_schema", "UNDROP SCHEMA ( WITH ID <string:KEY> / <name:NAME> )"},
    {"undrop_catalog", "UNDROP CATALOG ( WITH ID <string:KEY> / <name:NAME> )"},
    {"sync", "SYNC SCHEMA|TABLE <previous:KEY> <name:NAME> [ AS EXTERNAL ] FROM <name:TARGET> [ SET OWNER <principal:OWNER> ] [ DRY RUN +JSON ]"},

    /* ---- grants ---- */
    {"grant_share", "GRANT SELECT ON SHARE <ident:NAME> TO RECIPIENT <ident:TARGET>"},
    {"revoke_share", "REVOKE SELECT ON SHARE <ident:NAME> FROM RECIPIENT <ident:TARGET>"},
    {"grant", "GRANT <grants> ON <securable> TO <principal:PRINCIPAL> [ WITH GRANT OPTION +ALL ]"},
    {"revoke", "REVOKE <grants> ON <securable> FROM <principal:PRINCIPAL>"},
    {"explain_access", "EXPLAIN ACCESS <principal:PRINCIPAL> ON <securable>"},
    {"set_tag", "SET TAG ON <securable> <tag>"},
    {"unset_tag", "UNSET TAG ON <securable> <tag>"},

    /* ---- REFRESH, SHOW, UNCACHE ---- */
    {"refresh_function", "REFRESH FUNCTION <name:NAME>"},
    {"refresh_foreign", "REFRESH FOREIGN ( CATALOG|SCHEMA|TABLE <previous:KEY> <name:NAME> )"},
    {"refresh_materialized_view", "REFRESH MATERIALIZED VIEW <name:NAME> [ FULL +ALL ] [ SYNC|ASYNC ]"},
    {"refresh_streaming_table", "REFRESH STREAMING TABLE <name:NAME> [ FULL +ALL ] [ SYNC|ASYNC ]"},
    {"refresh_table", "REFRESH [ TABLE ] <target:NAME> [ FULL +ALL ] [ SYNC|ASYNC ]"},
    {"refresh_path", "REFRESH <rest:LOCATION>"},
    {"show_table_extended", "SHOW TABLE EXTENDED " IN_SCHEMA " LIKE <string:PATTERN> [ PARTITION <parts:PARTITION> ]"},
    {"show_tables_dropped", "SHOW TABLES DROPPED [ FROM|IN <name:SCHEMA> ] [ LIMIT <number:LIMIT> ]"},
    {"show_tables", "SHOW TABLES " IN_SCHEMA " " OPTS_LIKE},
    {"show_schemas_dropped", "SHOW SCHEMAS DROPPED [ FROM|IN <name:CATALOG> ] [ LIMIT <number:LIMIT> ]"},
    {"show_schemas", "SHOW SCHEMAS|DATABASES|NAMESPACES [ FROM|IN <name:CATALOG> ] " OPTS_LIKE},
    {"show_catalogs", "SHOW CATALOGS " OPTS_LIKE},
    {"show_views", "SHOW VIEWS " IN_SCHEMA " " OPTS_LIKE},
    {"show_volumes", "SHOW VOLUMES " IN_SCHEMA " " OPTS_LIKE},
    {"show_procedures", "SHOW PROCEDURES " IN_SCHEMA " " OPTS_LIKE},
    {"show_functions", "SHOW [ USER|SYSTEM|ALL <previous:KEY> ] FUNCTIONS " IN_SCHEMA " [ ( LIKE ( <string:PATTERN> / <name:NAME> ) / <string:PATTERN> / <name:NAME> ) ]"},
    {"show_columns", "SHOW COLUMNS FROM|IN <name:NAME> [ FROM|IN <name:SCHEMA> ] [ AS JSON +JSON ]"},
    {"show_tblproperties", "SHOW TBLPROPERTIES <name:NAME> [ '(' <key:KEY> ')' ]"},
    {"show_partitions", "SHOW PARTITIONS <name:NAME> [ [ PARTITION ] <parts:PARTITION> ]"},
    {"show_create_table", "SHOW CREATE TABLE <name:NAME> [ AS SERDE +SPECIAL ]"},
    {"show_create_view", "SHOW CREATE [ MATERIALIZED ] VIEW <name:NAME>"},
    {"show_create_schema", "SHOW CREATE SCHEMA|DATABASE <name:NAME>"},
    {"show_current_schema", "SHOW CURRENT SCHEMA|DATABASE|NAMESPACE"},
    {"show_shares_in_provider", "SHOW SHARES IN PROVIDER <ident:NAME> " OPTS_LIKE},
    {"show_shares", "SHOW SHARES " OPTS_LIKE},
    {"show_all_in_share", "SHOW ALL IN SHARE <ident:NAME>"},
    {"show_recipients", "SHOW RECIPIENTS " OPTS_LIKE},
    {"show_providers", "SHOW PROVIDERS " OPTS_LIKE},
    {"show_connections", "SHOW CONNECTIONS " OPTS_LIKE},
    {"show_credentials", "SHOW [ STORAGE|SERVICE ] CREDENTIALS " OPTS_LIKE},
    {"show_locations", "SHOW EXTERNAL LOCATIONS " OPTS_LIKE},
    {"show_groups", "SHOW GROUPS [ WITH USER|GROUP <previous:KEY> <principal:PRINCIPAL> ] " OPTS_LIKE},
    {"show_users", "SHOW USERS " OPTS_LIKE},
    {"show_grants_on_share", "SHOW GRANTS|GRANT ON SHARE <ident:NAME>"},
    {"show_grants_to_recipient", "SHOW GRANTS|GRANT TO RECIPIENT <ident:NAME>"},
    {"show_grants", "SHOW GRANTS|GRANT [ <principal:PRINCIPAL> ] ON <securable>"},
    {"show_policies", "SHOW [ EFFECTIVE +EXTENDED ] POLICIES ON <securable>"},
    {"show_collations", "SHOW COLLATIONS " OPTS_LIKE},
    {"show_variables", "SHOW VARIABLES " OPTS_LIKE},
    {"uncache_table", "UNCACHE TABLE " IF_EXISTS " <name:NAME>"},
};
const size_t sql_n_commands = ARRAY_LEN(sql_commands);
