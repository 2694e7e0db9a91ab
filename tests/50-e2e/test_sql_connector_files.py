# SPDX-License-Identifier: Apache-2.0
"""PUT, GET, REMOVE and LIST of the Python SQL connector: volumes and users' own staging places."""

import io

import pytest

TEXT = b"hello world!"


@pytest.fixture(params=["volume", "stage"])
def place(request, secure):
    if request.param == "volume":
        return "/Volumes/main/default/files"
    return f"stage://tmp/{secure.platform.sdk().current_user.me().user_name}/in"


@pytest.fixture
def local(tmp_path):
    path = tmp_path / "local.csv"
    path.write_bytes(TEXT)
    return path


def run(secure, text, allowed=None, **more):
    with secure.cursor({"staging_allowed_local_path": allowed} if allowed else {}) as c:
        c.execute(text, **more)


def test_the_life_of_a_file(secure, place, local, tmp_path, u):
    from databricks.sql.exc import Error

    at, back = f"{place}/life_{u}.csv", tmp_path / "back.csv"
    run(secure, f"PUT '{local}' INTO '{at}' OVERWRITE", str(local))
    run(secure, f"GET '{at}' TO '{back}'", str(back))
    assert back.read_bytes() == TEXT
    with secure.cursor({"staging_allowed_local_path": "/", "_retry_stop_after_attempts_count": 1}) as c:
        c.execute(f"REMOVE '{at}'")
        with pytest.raises(Error, match="Staging operation over HTTP was unsuccessful: 404"):
            c.execute(f"GET '{at}' TO '{back}'")


def test_a_file_is_not_overwritten_unasked(secure, place, local, u):
    from databricks.sql.exc import ServerOperationError

    put = f"PUT '{local}' INTO '{place}/twice_{u}.csv'"
    run(secure, put, str(local))
    with pytest.raises(ServerOperationError, match="FILE_IN_STAGING_PATH_ALREADY_EXISTS"):
        run(secure, put, str(local))
    run(secure, put + " OVERWRITE", str(local))


def test_only_paths_that_the_client_allows(secure, place, local, tmp_path):
    from databricks.sql.exc import Error

    put = f"PUT '{local}' INTO '{place}/no.csv' OVERWRITE"
    with pytest.raises(Error, match="You must provide at least one staging_allowed_local_path"):
        run(secure, put)
    with pytest.raises(Error, match="restricted to paths within the configured staging_allowed_local_path"):
        run(secure, put, str(tmp_path / "junk"))
    with pytest.raises(Error, match="restricted to paths within the configured staging_allowed_local_path"):
        run(secure, f"PUT '/var/www/html/../html1/x.html' INTO '{place}/no.csv' OVERWRITE", "/var/www/html")


def test_several_allowed_paths(secure, place, tmp_path):
    from databricks.sql.exc import Error

    files = [tmp_path / f"f{i}" for i in range(3)]
    for f in files:
        f.write_bytes(TEXT)
    with secure.cursor({"staging_allowed_local_path": [str(f) for f in files[:2]]}) as c:
        for f in files[:2]:
            c.execute(f"PUT '{f}' INTO '{place}/{f.name}' OVERWRITE")
        with pytest.raises(Error, match="restricted to paths"):
            c.execute(f"PUT '{files[2]}' INTO '{place}/{files[2].name}' OVERWRITE")
        c.execute(f"LIST '{place}'")
        assert {(r.name, r.size) for r in c.fetchall()} >= {("f0", len(TEXT)), ("f1", len(TEXT))}
        for f in files[:2]:
            c.execute(f"REMOVE '{place}/{f.name}'")


def test_statements_that_the_server_refuses(secure, place):
    from databricks.sql.exc import Error, ServerOperationError

    with pytest.raises(Error, match="EMPTY_LOCAL_FILE_IN_STAGING_ACCESS_QUERY"):
        run(secure, f"PUT '' INTO '{place}/x.csv' OVERWRITE", "/var")
    with pytest.raises(Error, match="NOT_FOUND: Catalog"):
        run(secure, "PUT 'index.html' INTO '/Volumes/RANDOM/main/default/files/x.csv' OVERWRITE", "/var")
    for path in ("stageRANDOM://tmp/me/x.csv", "/tmp/x.csv", "s3://bucket/x", "stage://other/me/x", "stage://tmp"):
        with pytest.raises(ServerOperationError, match="INVALID_STAGING_PATH_IN_STAGING_ACCESS_QUERY"):
            run(secure, f"PUT 'index.html' INTO '{path}' OVERWRITE", "/var")


def test_anothers_staging_place(secure, local):
    from databricks.sql.exc import ServerOperationError

    other = "stage://tmp/mary.poppins@example.com/x.csv"
    for text in (f"PUT '{local}' INTO '{other}' OVERWRITE", f"REMOVE '{other}'", f"GET '{other}' TO '{local}'", f"LIST '{other}'",
                 f"GET 'stage://tmp/me/../mary.poppins@example.com/x.csv' TO '{local}'"):
        with pytest.raises(ServerOperationError, match="PERMISSION_DENIED|INVALID_PARAMETER_VALUE"):
            run(secure, text, str(local))


def test_a_stream_is_put(secure, place, u):
    at = f"{place}/streamed_{u}.txt"
    with secure.cursor({"staging_allowed_local_path": "/"}) as c:
        c.execute(f"PUT '__input_stream__' INTO '{at}'", input_stream=io.BytesIO(TEXT * 1000))
        c.execute(f"LIST '{place}/'")
        assert [(r.path, r.size) for r in c.fetchall() if r.name == f"streamed_{u}.txt"] == [(at, len(TEXT) * 1000)]
        with pytest.raises(Exception, match="input_stream|stream"):
            c.execute(f"PUT '__input_stream__' INTO '{place}/none.txt'")
        c.execute(f"REMOVE '{at}'")
