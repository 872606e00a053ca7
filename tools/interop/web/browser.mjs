// Has Chromium make the calls that run.mjs makes, from a page of another
// origin: over HTTP/3 when it is called with "quic".
import { createHash, X509Certificate } from "node:crypto";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

const here = import.meta.dirname;
const dist = (name, file = "index.js") => `/node_modules/${name}/dist/esm/${file}`;
const imports = {
  "node:assert/strict": "/assert.mjs",
  "grpc-web": "data:text/javascript,export default window.grpcWeb",
  "@connectrpc/connect": dist("@connectrpc/connect"),
  "@connectrpc/connect-web": dist("@connectrpc/connect-web"),
  "@bufbuild/protobuf": dist("@bufbuild/protobuf"),
};
for (const part of ["protocol", "protocol-connect", "protocol-grpc", "protocol-grpc-web"]) {
  imports[`@connectrpc/connect/${part}`] = dist("@connectrpc/connect", `${part}/index.js`);
}
for (const part of ["wkt", "wire", "reflect", "codegenv2"]) {
  imports[`@bufbuild/protobuf/${part}`] = dist("@bufbuild/protobuf", `${part}/index.js`);
}
// grpc-web is no module: it gets what it looks for.
const page = `<!doctype html><script type="importmap">${JSON.stringify({ imports })}</script>
<script>var module = { exports: {} }, exports = module.exports;</script>
<script src="/node_modules/grpc-web/index.js"></script><script>window.grpcWeb = module.exports;</script>
<script type="module" src="/page.mjs"></script>`;

let browser;
const profile = mkdtempSync(join(tmpdir(), "weir-browser-"));
const end = (told) => {
  console.log(told);
  browser.once("exit", () => {
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    process.exit(told.includes("FAIL") ? 1 : 0);
  });
  browser.kill();
};

const server = createServer((request, answer) => {
  const { pathname } = new URL(request.url, "http://localhost");
  if (pathname === "/told") {
    let told = "";
    request.on("data", (piece) => (told += piece)).on("end", () => {
      answer.end();
      end(told);
    });
    return;
  }
  answer.setHeader("Content-Type", pathname === "/" ? "text/html" : "text/javascript");
  try {
    answer.end(pathname === "/" ? page : readFileSync(join(here, pathname)));
  } catch {
    answer.writeHead(404).end();
  }
}).listen(0, "127.0.0.1", () => {
  const weir = new URL(process.env.WEIR_URL);
  const key = new X509Certificate(readFileSync(process.env.WEIR_CA)).publicKey.export({ type: "spki", format: "der" });
  const flags = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", `--user-data-dir=${profile}`,
    `--ignore-certificate-errors-spki-list=${createHash("sha256").update(key).digest("base64")}`,
  ];
  if (process.argv[2] === "quic") flags.push(`--origin-to-force-quic-on=${weir.host}`, "--host-resolver-rules=MAP localhost 127.0.0.1");
  const url = `http://127.0.0.1:${server.address().port}/?weir=${encodeURIComponent(weir.origin)}`;
  browser = spawn("chromium", [...flags, url], { stdio: "ignore" });
  setTimeout(() => end("FAIL the page told nothing within 2 min"), 120_000);
});
