// SPDX-License-Identifier: Apache-2.0
// A session of @databricks/sql, step by step; each prints one line "name<TAB>JSON of what came". Run as `node session.js PORT TOKEN PATH SCHEMA`,
// with NODE_PATH and NODE_EXTRA_CA_CERTS set.
const { DBSQLClient, DBSQLParameter, DBSQLParameterType } = require('@databricks/sql');
const [port, token, path, schema] = process.argv.slice(2);
const quiet = { log() {} };
const plain = (k, v) => (typeof v === 'bigint' ? Number(v) : v);

async function all(session, text, options = {}) {
  const op = await session.executeStatement(text, options);
  const rows = await op.fetchAll();
  await op.close();
  return rows;
}

async function listed(wanted, ...names) {
  const op = await wanted;
  const rows = await op.fetchAll();
  await op.close();
  return rows.map((r) => names.map((n) => r[n]));
}

const steps = {
  values: (s) => all(s, "SELECT true b, 1Y t, 2S s, 3 i, 4L l, 1.5F f, 2.5D d, CAST(1.25 AS DECIMAL(10,2)) m, 'it''s' st, DATE'2024-01-02' dt, "
    + "TIMESTAMP'2024-01-02 03:04:05.5' ts, array(1, 2) a, named_struct('p', 1) o, map('k', 1) mp, CAST(NULL AS INT) n"),
  async names_and_types(s) {
    const op = await s.executeStatement('SELECT 1 AS a, CAST(2 AS DECIMAL(5,1)) AS b');
    const known = await op.getSchema();
    await op.close();
    return known.columns.map((c) => [c.columnName, c.typeDesc.types[0].primitiveEntry.type]);
  },
  named_parameters: (s) => all(s, 'SELECT :i AS i, :s AS s, :d AS d, :n AS n, :t AS t, :x AS x', { namedParameters: {
    i: 5, s: "it's", d: 1.5, n: null, t: new DBSQLParameter({ type: DBSQLParameterType.DATE, value: '2024-01-02' }),
    x: new DBSQLParameter({ type: 'DECIMAL(5,2)', value: '1.25' }) } }),
  ordinal_parameters: (s) => all(s, 'SELECT ? AS a, ? AS b', { ordinalParameters: [7, 'x'] }),
  async large(s) {
    const op = await s.executeStatement("SELECT id, concat('row ', id) t FROM range(300000)", { useCloudFetch: true });
    let n = 0, sum = 0;
    do {
      for (const r of await op.fetchChunk({ maxRows: 50000 })) { n += 1; sum += Number(r.id); }
    } while (await op.hasMoreRows());
    await op.close();
    return [n, sum];
  },
  async random(s) { // LZ4 does not make it smaller: it comes as it is
    const hashes = Array.from({ length: 30 }, (_, i) => `xxhash64(id, ${i}) c${i}`).join(', ');
    const got = await all(s, `SELECT pmod(xxhash64(id), 1000) m, ${hashes} FROM range(100000)`, { useCloudFetch: true });
    return [got.length, got.reduce((sum, r) => sum + Number(r.m), 0)];
  },
  async large_inline(s) {
    return (await all(s, 'SELECT id FROM range(100000)', { useCloudFetch: false, maxRows: 30000 })).length;
  },
  async table(s) {
    await all(s, `CREATE SCHEMA main.${schema}`);
    await all(s, `CREATE TABLE main.${schema}.t (id INT NOT NULL, name STRING COMMENT 'its name', s STRUCT<Name: STRING>)`);
    await all(s, `INSERT INTO main.${schema}.t VALUES (1, 'a', named_struct('Name', 'x')), (2, NULL, NULL)`);
    return all(s, `SELECT * FROM main.${schema}.t ORDER BY id`);
  },
  catalogs: (s) => listed(s.getCatalogs(), 'TABLE_CAT'),
  schemas: (s) => listed(s.getSchemas({ catalogName: 'main', schemaName: schema }), 'TABLE_CATALOG', 'TABLE_SCHEM'),
  tables: (s) => listed(s.getTables({ catalogName: 'main', schemaName: schema, tableTypes: ['TABLE'] }), 'TABLE_NAME', 'TABLE_TYPE'),
  columns: (s) => listed(s.getColumns({ catalogName: 'main', schemaName: schema, tableName: 't' }), 'COLUMN_NAME', 'DATA_TYPE', 'TYPE_NAME', 'NULLABLE'),
  table_types: (s) => listed(s.getTableTypes(), 'TABLE_TYPE'),
  functions: async (s) => {
    await all(s, `CREATE FUNCTION main.${schema}.twice(x INT) RETURNS INT RETURN x * 2`);
    return listed(s.getFunctions({ catalogName: 'main', schemaName: schema, functionName: '%' }), 'FUNCTION_NAME');
  },
  primary_keys: (s) => listed(s.getPrimaryKeys({ catalogName: 'main', schemaName: schema, tableName: 't' }), 'COLUMN_NAME'),
  type_info: async (s) => (await listed(s.getTypeInfo(), 'TYPE_NAME')).map((r) => r[0]).filter((n) => ['INT', 'STRING', 'DECIMAL'].includes(n)).sort(),
  info: async (s) => (await s.getInfo(17)).getValue(),
  async error(s) {
    try {
      await all(s, 'SELECT no_such_column');
    } catch (e) {
      return [e.message, (await all(s, 'SELECT 1 AS a')).length];
    }
    return 'no error';
  },
  async cancel(s) {
    const op = await s.executeStatement('SELECT count(*) FROM range(100000000) a CROSS JOIN range(1000000) b WHERE a.id % 7 = b.id % 11', { runAsync: true });
    setTimeout(() => op.cancel(), 500);
    let said;
    try {
      said = await op.fetchAll();
    } catch (e) {
      said = `${e.name} ${e.message}`;
    }
    return [said, (await all(s, 'SELECT 1 AS a')).length];
  },
  clean: (s) => all(s, `DROP SCHEMA main.${schema} CASCADE`),
};

(async () => {
  const client = new DBSQLClient({ logger: quiet });
  await client.connect({ host: 'localhost', port: Number(port), path, token });
  const session = await client.openSession({ initialCatalog: 'main', initialSchema: 'default', configuration: { timezone: 'Europe/Amsterdam' } });
  for (const [name, step] of Object.entries(steps)) {
    try {
      console.log(`${name}\t${JSON.stringify(await step(session), plain)}`);
    } catch (e) {
      console.log(`${name}\t${JSON.stringify(`FAILED ${e && e.message}`)}`);
    }
  }
  await session.close();
  await client.close();
})();
