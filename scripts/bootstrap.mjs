// Plain JavaScript that any Node from 20 runs: installs what is missing, then hands over to the Node 26 of this package.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import { compileCache, currentBundle, launch, nodePackage, root } from "./launch.mjs";

const noInstall = process.env.TIPHYS_NO_INSTALL === "1";

/** Debian packages, each with a file that proves it is there. Tests also want the second list. */
const systemPackages = [
  ["containerd", "/usr/bin/containerd"],
  ["runc", "/usr/sbin/runc"],
  ["containernetworking-plugins", "/usr/lib/cni/bridge"],
  ["nftables", "/usr/sbin/nft"],
  ["iptables", "/usr/sbin/iptables"],
  ["iproute2", "/usr/sbin/ip"],
  ["procps", "/usr/sbin/sysctl"],
  ["conntrack", "/usr/sbin/conntrack"],
  ["busybox-static", "/bin/busybox"],
];
const testPackages = [
  ["etcd-server", "/usr/bin/etcd"],
  ["etcd-client", "/usr/bin/etcdctl"],
  ["strace", "/usr/bin/strace"],
  ["e2fsprogs", "/usr/sbin/mkfs.ext4"],
  ["xfsprogs", "/usr/sbin/mkfs.xfs"],
];

const bundledNode = () => join(root, "node_modules", nodePackage ?? "none", "bin", "node");

function installDependencies() {
  const lock = readFileSync(join(root, "package-lock.json"));
  const digest = createHash("sha256").update(lock).digest("hex");
  const stamp = join(root, "node_modules", ".tiphys-lock");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === digest && existsSync(bundledNode())) return;
  if (noInstall)
    fail(
      "dependencies are not installed (or not those of package-lock.json) and TIPHYS_NO_INSTALL=1 forbids installing them: run `npm ci`",
    );
  console.error("tiphys: installing npm dependencies (package-lock.json is new or changed)");
  const result = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (result.status !== 0) fail("`npm ci` failed: see its output above");
  if (!existsSync(bundledNode())) fail(`no Node 26 for ${process.platform}-${process.arch} among the dependencies`);
  writeFileSync(stamp, digest);
}

function installSystemPackages(wanted) {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return;
  const release = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  if (!/^ID(_LIKE)?=.*(debian|ubuntu)/m.test(release)) return;
  const missing = wanted.filter(([, proof]) => !existsSync(proof)).map(([name]) => name);
  if (missing.length === 0) return;
  if (noInstall) {
    console.error(`tiphys: not installed, as TIPHYS_NO_INSTALL=1 asks: ${missing.join(" ")}`);
    return;
  }
  console.error(`tiphys: installing system packages: ${missing.join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const install = () =>
    spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...missing], {
      stdio: ["ignore", "ignore", "pipe"],
      env,
    });
  let result = install();
  if (result.status !== 0) {
    spawnSync("apt-get", ["update", "-qq"], { stdio: "ignore", env });
    result = install();
  }
  if (result.status !== 0)
    console.error(
      `tiphys: could not install ${missing.join(" ")}: ${String(result.stderr).trim().split("\n").at(-1)}; going on without`,
    );
}

function fail(message) {
  console.error(`tiphys: ${message}`);
  process.exit(1);
}

const quiet = "--disable-warning=ExperimentalWarning";
const runNode = (args) =>
  spawnSync(bundledNode(), [quiet, ...args], { stdio: "inherit", env: { ...process.env, NODE_COMPILE_CACHE: compileCache } })
    .status ?? 128;

/** The sources are new or changed: this start is from them, the next one from the bundle that is made meanwhile. */
function bundleInBackground() {
  const child = spawn(bundledNode(), [quiet, join(root, entry.bundle)], { stdio: "ignore" });
  child.on("error", () => {}); // a start without is slower, nothing else
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
  child.unref();
  process.on("exit", () => child.kill());
}

const entry = {
  test: "scripts/test.ts",
  check: "scripts/check.ts",
  bench: "bench/main.ts",
  bundle: "scripts/bundle/main.ts",
  pack: "scripts/bundle/pack.ts",
};

const [command = "start", ...rest] = process.argv.slice(2);
installDependencies();
installSystemPackages(
  command === "test" ? [...systemPackages, ...testPackages] : command === "start" || command === "bench" ? systemPackages : [],
);
if (command === "start") {
  if (currentBundle() === undefined) bundleInBackground();
  await launch(["up", ...rest]);
} else {
  process.exit(runNode([join(root, entry[command] ?? fail(`unknown command "${command}"`)), ...rest]));
}
