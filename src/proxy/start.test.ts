// The proxy from informers to transactions, on a virtual clock and a simulated table.
import assert from "node:assert/strict";
import { test } from "node:test";
import { endpointSlices, services } from "#api";
import { type CommandResult, type Processes, SimulatedTable, seededRandom, silentLog, VirtualClock } from "#base";
import { createClient, createFakeApi, createInformerFactory } from "#client";
import { type ProxyOptions, startProxy } from "./start.ts";
import { endpoint, service, slice } from "./testing/objects.ts";

const success: CommandResult = { code: 0, stdout: "", stderr: "" };

/** Commands go to a simulated kernel; `answer` may refuse one. */
class Machine {
  readonly table = new SimulatedTable();
  readonly scripts: string[] = [];
  readonly commands: string[] = [];
  answer: (command: string, input: string) => CommandResult | undefined = () => undefined;
  running = 0;
  readonly processes: { -readonly [Key in keyof Processes]: Processes[Key] } = {
    run: async (command, args, options) => {
      assert.equal(this.running++, 0, "one command at a time");
      await new Promise((resolve) => setImmediate(resolve));
      this.running--;
      const line = [command, ...args].join(" ");
      this.commands.push(line);
      const refusal = this.answer(line, options?.input ?? "");
      if (refusal !== undefined) return refusal;
      if (args.includes("table"))
        return this.table.chains.size > 0
          ? { ...success, stdout: this.table.listing() }
          : { code: 1, stdout: "", stderr: "Error: No such file" };
      if (options?.input !== undefined) {
        this.scripts.push(options.input);
        if (!options.input.includes("probe return\nflush")) this.table.run(options.input);
      }
      return success;
    },
    start: () => assert.fail("nothing is to be started"),
    signal: () => false,
  };
}

async function start(options: Partial<ProxyOptions> = {}) {
  const clock = new VirtualClock();
  const api = createFakeApi({ clock });
  const machine = new Machine();
  const informers = createInformerFactory({ client: createClient(api), clock, random: seededRandom(1), log: silentLog });
  const proxy = await startProxy(
    { mode: "nftables", nodeName: "n1", nodeIps: ["192.0.2.1"], clusterCidr: "10.244.0.0/16", ...options },
    { informers, clock, processes: machine.processes, log: silentLog },
  );
  const put = (name: string, clusterIP: string, endpoints: number, protocol = "TCP"): void => {
    api.put(services, service(name, { clusterIP, ports: [{ port: 80, protocol }] }));
    api.put(
      endpointSlices,
      slice(
        name,
        Array.from({ length: endpoints }, (_, index) => endpoint(index + 1)),
        { ports: [{ name: "", port: 8080, protocol }] },
      ),
    );
  };
  return { clock, api, machine, informers, proxy, put, settle: () => clock.advance(0) };
}
const vips = (machine: Machine): string[] => [...(machine.table.collections.get("service-ips")?.keys() ?? [])];

for (const mode of [undefined, "iptables", "ipvs", "userspace"]) {
  test(`startProxy() says that mode ${mode ?? "(unset)"} is not there, and does nothing`, async () => {
    await assert.rejects(start({ mode }), {
      message: `Cannot start the proxy: ${mode ?? "iptables"} mode is not implemented yet: use nftables`,
    });
  });
}

test("startProxy() refuses an unknown mode and ranges that are none", async () => {
  await assert.rejects(start({ mode: "foo" }), /mode "foo" is none of nftables, iptables, ipvs, userspace/);
  await assert.rejects(start({ clusterCidr: "10.244.0.0" }), /cluster range "10.244.0.0"/);
  await assert.rejects(start({ nodePortAddresses: ["eth0"] }), /node port range "eth0"/);
});

test("nothing is written before services and slices are listed, then everything in one transaction", async () => {
  const { machine, proxy, informers, put, settle } = await start();
  put("a", "10.96.0.1", 2);
  put("b", "10.96.0.2", 0);
  await settle();
  assert.equal(proxy.ready(), "services and endpoint slices are not listed yet");
  assert.deepEqual(machine.scripts, []);
  informers.start();
  await settle();
  assert.equal(proxy.ready(), undefined);
  assert.equal(machine.scripts.length, 1);
  assert.match(machine.scripts[0] ?? "", /^add table ip kube-proxy\ndelete table ip kube-proxy\ntable ip kube-proxy/);
  assert.deepEqual(vips(machine), ["10.96.0.1 . tcp . 80"]);
});

test("changes of one turn are one transaction, and only say what changed", async () => {
  const { machine, informers, put, settle } = await start();
  informers.start();
  await settle();
  put("a", "10.96.0.1", 2);
  put("b", "10.96.0.2", 2);
  await settle();
  assert.equal(machine.scripts.length, 2);
  assert.doesNotMatch(machine.scripts[1] ?? "", /delete/);
  assert.deepEqual(vips(machine), ["10.96.0.1 . tcp . 80", "10.96.0.2 . tcp . 80"]);
});

test("a service that is deleted leaves nothing but the frame", async () => {
  const { api, machine, informers, put, settle } = await start();
  informers.start();
  await settle();
  const empty = machine.table.snapshot();
  put("a", "10.96.0.1", 2);
  await settle();
  api.remove(services, { namespace: "default", name: "a" });
  await settle();
  assert.deepEqual(machine.table.snapshot(), empty);
});

test("minSyncPeriodMs keeps transactions apart", async () => {
  const { clock, machine, informers, put, settle } = await start({ minSyncPeriodMs: 1000 });
  informers.start();
  await settle();
  put("a", "10.96.0.1", 1);
  await clock.advance(999);
  assert.equal(machine.scripts.length, 1);
  await clock.advance(1);
  assert.equal(machine.scripts.length, 2);
});

test("a transaction that fails is tried again with growing pauses, as a full load, and says why meanwhile", async () => {
  const { clock, machine, proxy, informers, put, settle } = await start();
  informers.start();
  await settle();
  const attempts = new Set<number>();
  machine.answer = (line) => {
    if (!line.startsWith("nft -f")) return undefined;
    attempts.add(clock.monotonic());
    return { code: 1, stdout: "", stderr: "Error: Could not process rule: No such file or directory\nadd element" };
  };
  put("a", "10.96.0.1", 1);
  await clock.advance(1750);
  assert.deepEqual([...attempts], [0, 250, 750, 1750]);
  assert.match(proxy.ready() ?? "", /rules cannot be loaded: nft: Error: Could not process rule/);
  machine.answer = () => undefined;
  await clock.advance(2000);
  assert.equal(proxy.ready(), undefined);
  assert.match(machine.scripts.at(-1) ?? "", /^flush table ip kube-proxy\n/);
  assert.deepEqual(vips(machine), ["10.96.0.1 . tcp . 80"]);
});

test("a proxy that starts anew takes over the table of the one before: the same table, whatever was in it, and its hooks were never gone", async () => {
  const first = await start({ keepRules: true });
  first.put("a", "10.96.0.1", 2);
  first.put("gone", "10.96.0.3", 5);
  first.informers.start();
  await first.settle();
  await first.proxy[Symbol.asyncDispose]();
  const second = await start();
  second.machine.table.run(first.machine.scripts.join(""));
  second.machine.table.run("add chain ip kube-proxy of-another-version\nadd set ip kube-proxy old-set { type ipv4_addr; }\n");
  second.put("a", "10.96.0.1", 3);
  second.put("b", "10.96.0.2", 1);
  second.informers.start();
  await second.settle();
  assert.doesNotMatch(second.machine.scripts.join(""), /delete table/);
  const third = await start();
  third.put("a", "10.96.0.1", 3);
  third.put("b", "10.96.0.2", 1);
  third.informers.start();
  await third.settle();
  assert.deepEqual(second.machine.table.snapshot(), third.machine.table.snapshot());
});

test("a table that cannot be taken over, or whose listing nobody understands, is replaced", async () => {
  for (const refusal of [
    (line: string, input: string) =>
      input.startsWith("flush table") ? { code: 1, stdout: "", stderr: `Error: File exists ${line}` } : undefined,
    (line: string) => (line.includes("list table") ? { code: 0, stdout: "# Warning", stderr: "" } : undefined),
  ]) {
    const { machine, proxy, informers, put, settle } = await start();
    machine.table.run("table ip kube-proxy {\n  chain of-another {\n  }\n}\n");
    machine.answer = refusal;
    put("a", "10.96.0.1", 1);
    informers.start();
    await settle();
    assert.equal(proxy.ready(), undefined);
    assert.deepEqual(
      machine.scripts.map((script) => script.split("\n", 2).join()),
      ["add table ip kube-proxy,delete table ip kube-proxy"],
    );
    assert.deepEqual(vips(machine), ["10.96.0.1 . tcp . 80"]);
  }
});

test("a table that somebody removed is loaded again", async () => {
  const { clock, machine, informers, put, settle } = await start();
  put("a", "10.96.0.1", 1);
  informers.start();
  await settle();
  let gone = true;
  machine.answer = (_, input) =>
    gone && input.includes("probe return\nflush")
      ? { code: 1, stdout: "", stderr: "Error: No such file or directory" }
      : undefined;
  machine.table.run("delete table ip kube-proxy\n");
  await clock.advance(29_999);
  assert.deepEqual(vips(machine), []);
  await clock.advance(1);
  gone = false;
  assert.deepEqual(vips(machine), ["10.96.0.1 . tcp . 80"]);
  const count = machine.scripts.length;
  await clock.advance(30_000);
  assert.match(
    machine.scripts.slice(count).join(""),
    /^add rule ip kube-proxy probe return\nflush chain ip kube-proxy probe\n$/,
    "a table that is there costs no load",
  );
});

test("UDP flows to endpoints that left are forgotten after the rules are in, those of others are not", async () => {
  const { machine, informers, put, settle } = await start({ networkNamespace: "node-1" });
  put("dns", "10.96.0.10", 2, "UDP");
  put("web", "10.96.0.11", 2, "TCP");
  informers.start();
  await settle();
  machine.commands.length = 0;
  put("dns", "10.96.0.10", 1, "UDP");
  put("web", "10.96.0.11", 1, "TCP");
  await settle();
  assert.deepEqual(machine.commands, [
    "ip netns exec node-1 nft -f -",
    "ip netns exec node-1 conntrack -D -f ipv4 -p udp --orig-dst 10.96.0.10 --orig-port-dst 80 --dst-nat 10.244.1.2",
  ]);
});

test("UDP flows are forgotten when a failed transaction has succeeded at last", async () => {
  const { clock, machine, informers, put, settle } = await start();
  put("dns", "10.96.0.10", 2, "UDP");
  informers.start();
  await settle();
  let refusals = 1;
  machine.answer = (line) => (line === "nft -f -" && refusals-- > 0 ? { code: 1, stdout: "", stderr: "Error: busy" } : undefined);
  put("dns", "10.96.0.10", 1, "UDP");
  await clock.advance(250);
  assert.equal(machine.commands.filter((line) => line.startsWith("conntrack")).length, 1);
});

test("disposal finishes the transaction under way and removes the table; keepRules leaves it", async () => {
  for (const keepRules of [false, true]) {
    const { api, machine, proxy, informers, put, settle } = await start({ keepRules });
    informers.start();
    await settle();
    put("a", "10.96.0.1", 1);
    await settle();
    await proxy[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
    api.remove(services, { namespace: "default", name: "a" });
    await settle();
    assert.deepEqual(vips(machine), keepRules ? ["10.96.0.1 . tcp . 80"] : []);
    assert.equal(machine.table.chains.size > 0, keepRules);
  }
});

test("disposal in the middle of a transaction lets it end, and cleans up after it", async () => {
  const { clock, machine, proxy, informers, put } = await start();
  informers.start();
  await clock.advance(0);
  const order: string[] = [];
  let end = (): void => {};
  const { run } = machine.processes;
  machine.processes.run = async (command, args, options) => {
    order.push(`begin ${options?.input?.split(" ", 2).join(" ")}`);
    if (options?.input?.startsWith("add chain")) {
      await new Promise<void>((resolve) => {
        end = resolve;
      });
    }
    const result = await run(command, args, options);
    order.push("end");
    return result;
  };
  put("a", "10.96.0.1", 1);
  await clock.advance(0);
  const disposed = proxy[Symbol.asyncDispose]();
  await clock.advance(0);
  assert.deepEqual(order, ["begin add chain"]);
  end();
  await disposed;
  assert.deepEqual(order, ["begin add chain", "end", "begin add table", "end"]);
  assert.equal(machine.table.chains.size, 0);
});
