"""As much of the Hub as creating a repository, uploading a folder (also by LFS) and fetching it again take."""

import base64
import hashlib
import json
import re
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

SHA = "0" * 40


class FakeHub(ThreadingHTTPServer):
    """Attributes: `files` {repo id: {path: bytes}}, `commits` [(repo id, summary)], `tokens` seen."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, dict[str, bytes]] = {}
        self.blobs: dict[str, bytes] = {}
        self.commits: list[tuple[str, str]] = []
        self.tokens: set[str | None] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serve():
    hub = FakeHub()
    thread = Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self._body()
        hub, path = self.server, self.path.split("?")[0]
        hub.tokens.add(self.headers["Authorization"])
        if path == "/api/repos/create":
            values = json.loads(body)
            repo = f"{values.get('organization') or 'me'}/{values['name']}"
            hub.files.setdefault(repo, {})
            return self._json({"url": f"{hub.url}/{repo}", "name": repo, "id": "1"})
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if match := re.fullmatch(r"/api/models/(.+)/preupload/main", path):
            files = [self._upload_mode(file["path"]) for file in json.loads(body)["files"]]
            return self._json({"files": files})
        if match := re.fullmatch(r"/(.+)\.git/info/lfs/objects/batch", path):
            objects = json.loads(body)["objects"]
            for item in objects:
                item["actions"] = {"upload": {"href": f"{hub.url}/blobs/{item['oid']}"}}
            return self._json({"transfer": "basic", "objects": objects})
        if match := re.fullmatch(r"/api/models/(.+)/commit/main", path):
            self._commit(match[1], [json.loads(line) for line in body.splitlines()])
            url = f"{hub.url}/{match[1]}/commit/{SHA}"
            return self._json({"success": True, "commitUrl": url, "commitOid": SHA})
        return self._json({"error": f"no such call: POST {path}"}, 404)

    def do_PUT(self):
        body = self._body()
        oid = self.path.rsplit("/", 1)[1]
        if hashlib.sha256(body).hexdigest() != oid:
            return self._json({"error": "wrong sha256"}, 400)
        self.server.blobs[oid] = body
        return self._json({})

    def do_GET(self):
        path = self.path.split("?")[0]
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/[^/]+)?", path):
            if match[1] not in self.server.files:
                return self._missing("RepoNotFound")
            siblings = [{"rfilename": name} for name in self.server.files[match[1]]]
            return self._json({"id": match[1], "modelId": match[1], "sha": SHA, "siblings": siblings})
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/[^/]+", path):
            files = self.server.files[match[1]].items()
            return self._json([{"type": "file", "path": n, "size": len(c), "oid": SHA} for n, c in files])
        if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            content = self.server.files.get(match[1], {}).get(match[2])
            if content is None:
                return self._missing("EntryNotFound")
            etag = hashlib.sha256(content).hexdigest()
            return self._reply(content, 200, {"ETag": f'"{etag}"', "X-Repo-Commit": SHA})
        return self._json({"error": f"no such call: GET {path}"}, 404)

    do_HEAD = do_GET

    def _upload_mode(self, path: str) -> dict:
        mode = "lfs" if path.endswith(".safetensors") else "regular"
        return {"path": path, "uploadMode": mode, "shouldIgnore": False}

    def _commit(self, repo: str, lines: list[dict]):
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                self.server.commits.append((repo, value["summary"]))
            elif line["key"] == "file":
                self.server.files[repo][value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.server.files[repo][value["path"]] = self.server.blobs[value["oid"]]

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"] or 0))

    def _missing(self, code: str):
        self._reply(b"{}", 404, {"X-Error-Code": code})

    def _json(self, values: dict | list, status: int = 200):
        self._reply(json.dumps(values).encode(), status, {"Content-Type": "application/json"})

    def _reply(self, content: bytes, status: int, headers: dict[str, str]):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_):
        pass
