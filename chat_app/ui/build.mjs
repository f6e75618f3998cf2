// Builds ../public/vendor from src/. `--check` builds into memory and fails when the committed files differ.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const out = path.resolve(here, "../public/vendor");
const check = process.argv.includes("--check");

const result = await build({
  absWorkingDir: here,
  entryPoints: { ui: "src/ui.js", charts: "src/charts.js" },
  outdir: out,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  legalComments: "none",
  external: ["./charts.mjs"],
  loader: { ".svg": "text", ".woff2": "file" },
  assetNames: "[name]",
  define: { "process.env.NODE_ENV": '"production"' },
  metafile: true,
  write: false,
  logLevel: "warning",
});

const files = new Map(result.outputFiles.map((file) => [path.basename(file.path), Buffer.from(file.contents)]));
files.set("LICENSES.txt", Buffer.from(await licences(Object.keys(result.metafile.inputs))));

files.set("sources.sha256", Buffer.from(`${await sourcesDigest()}\n`));

let stale = 0;
await mkdir(out, { recursive: true });
for (const [name, bytes] of files) {
  const target = path.join(out, name);
  if (!check) await writeFile(target, bytes);
  else if (digest(bytes) !== digest(await readFile(target).catch(() => Buffer.alloc(0)))) {
    stale += 1;
    console.error(`${name} is not what src/ builds: run "npm ci && npm run build" in chat_app/ui`);
  }
  if (!check) console.log(`${name} ${(bytes.length / 1024).toFixed(0)} KB`);
}
process.exitCode = stale ? 1 : 0;

function digest(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

/** What the files were built from; a test compares it without having to build. */
async function sourcesDigest() {
  const found = await readdir(path.join(here, "src"), { recursive: true, withFileTypes: true });
  const names = found.filter((entry) => entry.isFile()).map((entry) => path.relative(here, path.join(entry.parentPath, entry.name)).replaceAll("\\", "/"));
  const all = createHash("sha256");
  for (const name of [...names, "build.mjs", "package-lock.json"].sort()) all.update(`${name}\n${digest(await readFile(path.join(here, name)))}\n`);
  return all.digest("hex");
}

async function licences(inputs) {
  const packages = new Set();
  for (const input of inputs) {
    const found = input.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)/);
    if (found) packages.add(found[1]);
  }
  const parts = ["Packages in the files beside this one, and their licences.\n"];
  for (const name of [...packages].sort()) {
    const folder = path.join(here, "node_modules", name);
    const about = JSON.parse(await readFile(path.join(folder, "package.json"), "utf8"));
    const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? (await readFile(path.join(folder, file), "utf8")).trim() : "(see the package)";
    parts.push(`${"=".repeat(78)}\n${name} ${about.version}: ${about.license}\n${"=".repeat(78)}\n${text}\n`);
  }
  return parts.join("\n");
}
