// Prints requests that http-message-signatures has signed. All of it is fixed,
// so that running it again changes nothing: npm ci && node sign.mjs > ../signed.json
import { createHash } from "node:crypto";
import { createSigner, httpbis } from "http-message-signatures";

const secret = "0123456789abcdef0123456789abcdef";
const created = new Date(1_800_000_000_000);
const digest = (algorithm, body) =>
  `${algorithm.replace("sha", "sha-")}=:${createHash(algorithm).update(body).digest("base64")}:`;
const usual = ["@method", "@path", "@authority"];

const requests = [
  { name: "get", method: "GET", url: "http://api.example.org/pets", fields: usual },
  { name: "query", method: "GET", url: "http://api.example.org/pets?limit=10&q=a%20b", fields: [...usual, "@query"] },
  { name: "port", method: "GET", url: "http://API.example.org:8080/", fields: usual },
  { name: "target uri", method: "DELETE", url: "http://api.example.org/pets/7?force", fields: ["@method", "@target-uri"] },
  { name: "scheme", method: "GET", url: "http://api.example.org/a%2Fb", fields: [...usual, "@scheme"] },
  {
    name: "request target", method: "GET", url: "http://api.example.org/pets?a=1&b=2",
    fields: ["@method", "@request-target", "@authority"],
  },
  {
    name: "query parameters", method: "GET", url: "http://api.example.org/p?var=a%20b%0Ac&bar=with+plus&empty=",
    fields: [...usual, "@query", '@query-param;name="var"', '@query-param;name="bar"'],
  },
  {
    name: "body", method: "POST", url: "http://api.example.org/pets", fields: [...usual, "content-digest", "content-type"],
    body: '{"name":"Rex"}', algorithm: "sha256", headers: { "Content-Type": "application/json" },
  },
  {
    name: "long digest", method: "PUT", url: "http://api.example.org/pets/1", fields: [...usual, "content-digest"],
    body: "x".repeat(1000), algorithm: "sha512",
  },
  {
    name: "lines", method: "GET", url: "http://api.example.org/", fields: [...usual, "x-list", '"x-list";bs'],
    headers: { "X-List": ["one", "  two, three "] },
  },
  { name: "tag", method: "GET", url: "http://api.example.org/", fields: usual, tag: "weir" },
];

const out = [];
for (const r of requests) {
  const headers = { ...r.headers };
  if (r.body) headers["Content-Digest"] = digest(r.algorithm, r.body);
  const signed = await httpbis.signMessage(
    {
      key: createSigner(Buffer.from(secret), "hmac-sha256", "key-1"),
      fields: r.fields,
      params: ["created", "keyid", "alg", "nonce", ...(r.tag ? ["tag"] : [])],
      paramValues: { created, nonce: createHash("sha256").update(r.name).digest("hex").slice(0, 32), tag: r.tag },
    },
    { method: r.method, url: r.url, headers },
  );
  const url = new URL(r.url);
  const lines = [`${r.method} ${url.pathname}${url.search} HTTP/1.1`, `Host: ${r.url.split("/")[2]}`];
  for (const [name, value] of Object.entries(signed.headers)) {
    for (const line of [value].flat()) lines.push(`${name}: ${line}`);
  }
  if (r.body) lines.push(`Content-Length: ${r.body.length}`);
  out.push({ name: r.name, head: lines.join("\r\n") + "\r\n\r\n", body: r.body ?? "" });
}
process.stdout.write(JSON.stringify({ secret, created: created / 1000, requests: out }, null, 1) + "\n");
