// SPDX-License-Identifier: Apache-2.0
// Metadata, batches and limits of the JDBC driver; each prints one line "name<TAB>what came". Run as `java JdbcMetadata.java URL TOKEN SCHEMA`.

import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Arrays;
import java.util.Properties;

public class JdbcMetadata {
  interface Work {
    Object run() throws Exception;
  }

  static void say(String step, Work work) {
    Object what;
    try {
      what = work.run();
    } catch (Throwable e) {
      what = "FAILED " + e;
    }
    System.out.println(step + "\t" + String.valueOf(what).replace("\n", " "));
  }

  // The named columns of all rows, at most 20 rows.
  static String rows(ResultSet r, String... names) throws SQLException {
    StringBuilder b = new StringBuilder();
    int n = 0;
    while (r.next()) {
      if (n++ >= 20) continue;
      for (int i = 0; i < names.length; i++) b.append(i > 0 ? "," : "").append(r.getObject(names[i]));
      b.append(";");
    }
    r.close();
    return names.length > 0 ? b.toString() : n + " rows";
  }

  static int count(ResultSet r) throws SQLException {
    int n = 0;
    while (r.next()) n++;
    r.close();
    return n;
  }

  static void metadata(Connection c, String s) throws SQLException {
    DatabaseMetaData m = c.getMetaData();
    say("catalogs", () -> rows(m.getCatalogs(), "TABLE_CAT"));
    say("schemas", () -> rows(m.getSchemas("main", s), "TABLE_CATALOG", "TABLE_SCHEM"));
    say("table types", () -> rows(m.getTableTypes(), "TABLE_TYPE"));
    say("tables", () -> rows(m.getTables("main", s, "%", null), "TABLE_NAME", "TABLE_TYPE", "REMARKS"));
    say("views", () -> rows(m.getTables("main", s, "%", new String[] {"VIEW"}), "TABLE_NAME"));
    say("no tables", () -> rows(m.getTables("main", s, "nothing%", null)));
    say("columns", () -> rows(m.getColumns("main", s, "child", null), "COLUMN_NAME", "DATA_TYPE", "TYPE_NAME", "COLUMN_SIZE", "DECIMAL_DIGITS", "IS_NULLABLE",
        "ORDINAL_POSITION", "REMARKS"));
    say("columns by pattern", () -> rows(m.getColumns("main", s, "ch%", "p\\_id"), "COLUMN_NAME"));
    say("primary keys", () -> rows(m.getPrimaryKeys("main", s, "parent"), "TABLE_NAME", "COLUMN_NAME", "KEY_SEQ", "PK_NAME"));
    say("imported keys", () -> rows(m.getImportedKeys("main", s, "child"), "PKTABLE_NAME", "PKCOLUMN_NAME", "FKTABLE_NAME", "FKCOLUMN_NAME", "FK_NAME"));
    say("cross reference", () -> rows(m.getCrossReference("main", s, "parent", "main", s, "child"), "PKCOLUMN_NAME", "FKCOLUMN_NAME"));
    say("exported keys", () -> rows(m.getExportedKeys("main", s, "parent"), "FKTABLE_NAME"));
    say("functions", () -> rows(m.getFunctions("main", s, "%"), "FUNCTION_NAME"));
    say("function columns", () -> count(m.getFunctionColumns("main", s, "%", "%")) >= 0);
    say("procedures", () -> rows(m.getProcedures("main", s, "%")));
    say("procedure columns", () -> rows(m.getProcedureColumns("main", s, "%", "%")));
    say("type info", () -> {
      String all = rows(m.getTypeInfo(), "TYPE_NAME");
      return all.contains("INT;") && all.contains("STRING;") && all.contains("DECIMAL;");
    });
    say("index info", () -> rows(m.getIndexInfo("main", s, "child", false, false)));
    say("best row", () -> rows(m.getBestRowIdentifier("main", s, "child", DatabaseMetaData.bestRowSession, true)));
    say("version columns", () -> rows(m.getVersionColumns("main", s, "child")));
    say("column privileges", () -> rows(m.getColumnPrivileges("main", s, "child", "%")));
    say("table privileges", () -> rows(m.getTablePrivileges("main", s, "child")));
    say("attributes", () -> rows(m.getAttributes("main", s, "%", "%")));
    say("udts", () -> rows(m.getUDTs("main", s, "%", null)));
    say("super tables", () -> rows(m.getSuperTables("main", s, "%")));
    say("super types", () -> rows(m.getSuperTypes("main", s, "%")));
    say("pseudo columns", () -> rows(m.getPseudoColumns("main", s, "child", "%")));
    say("client info", () -> count(m.getClientInfoProperties()) >= 0);
    say("product", () -> m.getDatabaseProductName() + " " + (m.getDatabaseMajorVersion() > 0) + " " + m.getIdentifierQuoteString() + " " + m.getCatalogSeparator());
  }

  static void statements(Connection c, String s) throws SQLException {
    say("catalog and schema", () -> {
      c.setSchema(s);
      return c.getCatalog() + "." + c.getSchema() + " " + c.isValid(5);
    });
    say("batch", () -> {
      try (PreparedStatement p = c.prepareStatement("INSERT INTO parent VALUES (?, ?)")) {
        for (int i = 1; i <= 3; i++) {
          p.setInt(1, i);
          p.setString(2, "n" + i);
          p.addBatch();
        }
        return Arrays.toString(p.executeBatch());
      }
    });
    say("batch of texts", () -> {
      try (Statement t = c.createStatement()) {
        t.addBatch("INSERT INTO parent VALUES (10, 'ten')");
        t.addBatch("UPDATE parent SET name = 'x' WHERE id <= 2");
        t.addBatch("DELETE FROM parent WHERE id = 3");
        return Arrays.toString(t.executeBatch());
      }
    });
    say("after the batches", () -> {
      try (Statement t = c.createStatement()) {
        return rows(t.executeQuery("SELECT * FROM parent ORDER BY id"), "id", "name");
      }
    });
    say("most rows", () -> {
      try (Statement t = c.createStatement()) {
        t.setMaxRows(7);
        return count(t.executeQuery("SELECT * FROM range(100)"));
      }
    });
    say("fetch size", () -> {
      try (Statement t = c.createStatement()) {
        t.setFetchSize(1000);
        return count(t.executeQuery("SELECT * FROM range(123456)"));
      }
    });
    say("nothing", () -> {
      try (Statement t = c.createStatement()) {
        return count(t.executeQuery("SELECT * FROM range(10) WHERE id < 0"));
      }
    });
    say("time limit", () -> {
      try (Statement t = c.createStatement()) {
        t.setQueryTimeout(2);
        t.executeQuery("SELECT count(*) FROM range(100000000) a CROSS JOIN range(100000) b WHERE a.id % 7 = b.id % 11");
        return "it ended";
      } catch (SQLException e) {
        return e instanceof java.sql.SQLTimeoutException ? "stopped" : "another error: " + e;
      }
    });
    say("time zone", () -> {
      try (Statement t = c.createStatement()) {
        t.execute("SET TIME ZONE 'Europe/Amsterdam'");
        ResultSet r = t.executeQuery("SELECT date_format(TIMESTAMP'2022-03-02 12:54:56', 'yyyy-MM-dd HH:mm:ss XXX') AS t");
        r.next();
        return r.getString(1);
      }
    });
    say("shape of a prepared statement", () -> {
      try (PreparedStatement p = c.prepareStatement("SELECT id, name FROM parent WHERE id = ?")) {
        p.setInt(1, 1);
        try (ResultSet r = p.executeQuery()) {
          r.next();
          return r.getMetaData().getColumnCount() + " " + r.getMetaData().getColumnTypeName(1) + " " + r.getString("name");
        }
      }
    });
  }

  public static void main(String[] args) throws Exception {
    Class.forName("com.databricks.client.jdbc.Driver");
    Properties p = new Properties();
    p.put("UID", "token");
    p.put("PWD", args[1]);
    String s = args[2];
    try (Connection c = DriverManager.getConnection(args[0], p); Statement t = c.createStatement()) {
      t.execute("CREATE SCHEMA main." + s);
      t.execute("CREATE TABLE main." + s + ".parent (id INT NOT NULL, name STRING, CONSTRAINT parent_pk PRIMARY KEY (id)) COMMENT 'the parents'");
      t.execute("CREATE TABLE main." + s + ".child (id BIGINT, p_id INT, price DECIMAL(7,2) COMMENT 'in euro', v VARCHAR(20), a ARRAY<STRING>, "
          + "s STRUCT<Name: STRING, n: INT>, at TIMESTAMP, CONSTRAINT child_fk FOREIGN KEY (p_id) REFERENCES main." + s + ".parent (id))");
      t.execute("CREATE VIEW main." + s + ".both AS SELECT name FROM main." + s + ".parent");
      t.execute("CREATE FUNCTION main." + s + ".twice(x INT) RETURNS INT RETURN x * 2");
      metadata(c, s);
      statements(c, s);
      t.execute("DROP SCHEMA main." + s + " CASCADE");
    }
  }
}
