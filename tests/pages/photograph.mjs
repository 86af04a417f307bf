// Photographs the pages of docs/pages as GitHub shows them in a pull request: cmark-gfm with a pull request's line breaks,
// cleaned by GitHub's rules, in GitHub's styles, at a desk's and at a phone's width, light and dark.
//
//   node photograph.mjs MODULES FOLDER-OF-PAGES FOLDER-OF-PICTURES
//
// MODULES is where the npm packages are installed; cmark-gfm, chromium and pngquant are programs on the path.

import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, pages, pictures] = process.argv.slice(2).map((path) => resolve(path));
const require = createRequire(join(modules, "node_modules", "x.cjs"));
const load = async (name) => import(pathToFileURL(join(modules, "node_modules", name, "index.js")));

const { rehype } = await load("rehype");
const { default: sanitize } = await load("rehype-sanitize");
const { chromium } = require("playwright-core");
const styles = readFileSync(join(modules, "node_modules", "github-markdown-css", "github-markdown.css"), "utf8");

const LARGEST = 150_000;
const WIDTHS = { wide: 1012, phone: 390 };
// The width that the smallest phones of today have.
const NARROWEST = 360;
const EXTENSIONS = ["table", "strikethrough", "autolink", "tagfilter", "tasklist"];

const escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

// A pull request's body: the page without its title, which stands above it, larger.
const html = async (markdown) => {
  const [, title, body] = markdown.match(/^# (.*)\n+([\s\S]*)$/);
  const args = ["--unsafe", "--hardbreaks", ...EXTENSIONS.flatMap((name) => ["-e", name])];
  const raw = execFileSync("cmark-gfm", args, { input: body, encoding: "utf8" });
  const clean = await rehype().data("settings", { fragment: true }).use(sanitize).process(raw);
  return `<!doctype html><html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>${styles}
body { margin: 0; background: var(--bgColor-default, #fff); }
.markdown-body { padding: 16px; font-size: 14px; }
.pull { font-size: 26px; font-weight: 400; margin: 16px; color: inherit; }
.pull span { opacity: .6 }
.box { margin: 0 16px 16px; border: 1px solid #8886; border-radius: 6px; overflow: hidden; }
.by { padding: 8px 16px; border-bottom: 1px solid #8886; font-size: 14px; background: #8881; }
@media (max-width: 500px) { .pull { font-size: 20px } }
</style></head><body class="markdown-body" style="padding: 0">
<p class="pull">${escape(title)} <span>#1042</span></p>
<div class="box"><div class="by"><b>loops</b> <span style="opacity:.7">wants to merge into main · Draft</span></div>
<div class="markdown-body">${clean}</div></div></body></html>`;
};

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  // As root Chromium has no sandbox of its own; it shows our own pages only, which may load nothing.
  args: process.getuid() === 0 ? ["--no-sandbox"] : [],
});
let bad = 0;

// A page that has to be pushed sideways is not read on a phone, be it a small one.
const narrow = async (file, content) => {
  const page = await browser.newPage({ viewport: { width: NARROWEST, height: 600 } });
  await page.setContent(content);
  const wide = await page.evaluate(() =>
    [document.documentElement, ...document.querySelectorAll("table")]
      .filter((there) => there.scrollWidth > there.clientWidth + 1)
      .map((there) => `${there.tagName} of ${there.scrollWidth} px in ${there.clientWidth} px`));
  await page.close();
  for (const what of wide) console.error(`${file} must be pushed sideways at ${NARROWEST} px: ${what}`);
  bad += wide.length;
};

for (const file of readdirSync(pages).filter((name) => name.endsWith(".md")).sort()) {
  const content = await html(readFileSync(join(pages, file), "utf8"));
  await narrow(file, content);
  for (const [kind, width] of Object.entries(WIDTHS)) {
    for (const colorScheme of ["light", "dark"]) {
      const page = await browser.newPage({ viewport: { width, height: 600 }, colorScheme });
      await page.setContent(content);
      const picture = join(pictures, `${basename(file, ".md")}-${kind}-${colorScheme}.png`);
      rmSync(picture, { force: true });
      await page.screenshot({ path: picture, fullPage: true });
      await page.close();
      execFileSync("pngquant", ["--force", "--strip", "--speed", "1", "--output", picture, "24", picture]);
      const bytes = statSync(picture).size;
      console.log(`${picture}: ${Math.ceil(bytes / 1000)} kB`);
      if (bytes > LARGEST) console.error(`${picture} is larger than ${LARGEST / 1000} kB`);
      bad += bytes > LARGEST ? 1 : 0;
    }
  }
}
await browser.close();
process.exit(bad === 0 ? 0 : 1);
