// SPDX-License-Identifier: Apache-2.0
// A session of the JDBC driver, step by step; each prints one line "name<TAB>what came". Run as `java JdbcSession.java URL TOKEN`.

import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;

public class JdbcSession {
  static void say(String step, Object what) {
    System.out.println(step + "\t" + what);
  }

  static String rows(ResultSet r) throws SQLException {
    StringBuilder b = new StringBuilder();
    int n = r.getMetaData().getColumnCount();
    while (r.next()) {
      for (int i = 1; i <= n; i++) b.append(i > 1 ? "," : "").append(r.getObject(i));
      b.append(";");
    }
    return b.toString();
  }

  static String query(Connection c, String sql) throws SQLException {
    try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(sql)) {
      return rows(r);
    }
  }

  static void types(Connection c) throws SQLException {
    String sql = "SELECT true b, 1Y t, 2S s, 3 i, 4L l, 1.5F f, 2.5D d, CAST(1.25 AS DECIMAL(10,2)) m, 'x' st, DATE'2024-01-02' dt, "
        + "TIMESTAMP'2024-01-02 03:04:05.5' ts, X'01ff' bin, array(1,2) a, named_struct('p', 1) st2, map('k', 1) mp, CAST(NULL AS INT) n";
    try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(sql)) {
      ResultSetMetaData m = r.getMetaData();
      StringBuilder b = new StringBuilder();
      for (int i = 1; i <= m.getColumnCount(); i++) b.append(m.getColumnName(i)).append(":").append(m.getColumnTypeName(i)).append(" ");
      say("column types", b.toString().trim());
      r.next();
      say("values", r.getBoolean(1) + " " + r.getByte(2) + " " + r.getShort(3) + " " + r.getInt(4) + " " + r.getLong(5) + " " + r.getFloat(6)
          + " " + r.getDouble(7) + " " + r.getBigDecimal(8) + " " + r.getString(9) + " " + r.getDate(10) + " " + r.getTimestamp(11) + " "
          + r.getBytes(12).length + " " + r.getString(13) + " " + r.getString(14) + " " + r.getString(15) + " " + r.getObject(16));
    }
  }

  static void parameters(Connection c) throws SQLException {
    try (PreparedStatement s = c.prepareStatement("SELECT ? + 1, ?, ?")) {
      s.setInt(1, 41);
      s.setString(2, "it's");
      s.setBigDecimal(3, new java.math.BigDecimal("1.25"));
      say("parameters", rows(s.executeQuery()));
    }
  }

  static void large(Connection c) throws SQLException {
    try (Statement s = c.createStatement(); ResultSet r = s.executeQuery("SELECT id, concat('row ', id) t FROM range(1000000)")) {
      long n = 0, sum = 0;
      while (r.next()) {
        n++;
        sum += r.getLong(1);
        if (n == 777777) say("row 777777", r.getString(2));
      }
      say("large", n + " " + sum);
    }
  }

  /** Numbers that LZ4 does not make smaller: they come as they are. */
  static void random(Connection c) throws SQLException {
    StringBuilder q = new StringBuilder("SELECT pmod(xxhash64(id), 1000)");
    for (int i = 0; i < 30; i++) q.append(", xxhash64(id, ").append(i).append(") c").append(i);
    try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(q + " FROM range(100000)")) {
      long n = 0, sum = 0;
      while (r.next()) {
        n++;
        sum += r.getLong(1);
      }
      say("random", n + " " + sum);
    }
  }

  static void cancel(Connection c) throws Exception {
    try (Statement s = c.createStatement()) {
      Thread t = new Thread(() -> {
        try {
          Thread.sleep(3000);
          s.cancel();
        } catch (Exception e) {
          say("cancel failed", e);
        }
      });
      t.start();
      try {
        s.executeQuery("SELECT count(*) FROM range(100000000) a CROSS JOIN range(100000) b WHERE a.id % 7 = b.id % 11");
        say("cancel", "the query ended");
      } catch (SQLException e) {
        say("cancel", "canceled");
      }
      t.join();
    }
  }

  static void errors(Connection c) {
    try {
      query(c, "SELECT no_such_column");
      say("error", "none");
    } catch (SQLException e) {
      say("error", e.getSQLState() + " " + (e.getMessage().contains("UNRESOLVED_COLUMN") && e.getMessage().contains("no_such_column")));
    }
  }

  static void tables(Connection c) throws SQLException {
    try (Statement s = c.createStatement()) {
      s.execute("CREATE OR REPLACE TABLE main.default.jdbc_t (id INT NOT NULL, name STRING COMMENT 'its name', price DECIMAL(10,2))");
      say("insert", s.executeUpdate("INSERT INTO main.default.jdbc_t VALUES (1, 'a', 1.5), (2, 'b', 2.5)"));
      say("update", s.executeUpdate("UPDATE main.default.jdbc_t SET name = 'z' WHERE id = 2"));
      say("rows", query(c, "SELECT * FROM main.default.jdbc_t ORDER BY id"));
    }
    DatabaseMetaData m = c.getMetaData();
    try (ResultSet r = m.getTables("main", "default", "jdbc%", new String[] {"TABLE"})) {
      r.next();
      say("getTables", r.getString("TABLE_CAT") + "." + r.getString("TABLE_SCHEM") + "." + r.getString("TABLE_NAME") + " " + r.getString("TABLE_TYPE"));
    }
    try (ResultSet r = m.getColumns("main", "default", "jdbc_t", "%")) {
      StringBuilder b = new StringBuilder();
      while (r.next()) b.append(r.getString("COLUMN_NAME")).append(" ").append(r.getInt("DATA_TYPE")).append(" ").append(r.getInt("COLUMN_SIZE")).append(";");
      say("getColumns", b);
    }
    say("getSchemas", rows(m.getSchemas("main", "def%")));
    try (Statement s = c.createStatement()) {
      s.execute("DROP TABLE main.default.jdbc_t");
    }
  }

  public static void main(String[] args) throws Exception {
    Class.forName("com.databricks.client.jdbc.Driver");
    Properties p = new Properties();
    p.put("UID", "token");
    p.put("PWD", args[1]);
    try (Connection c = DriverManager.getConnection(args[0], p)) {
      say("product", c.getMetaData().getDatabaseProductName());
      types(c);
      parameters(c);
      large(c);
      random(c);
      cancel(c);
      errors(c);
      if (args.length > 2) tables(c);
    }
  }
}
