import { spawn, spawnSync } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { startPooler } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { flagsFor } from "./flags.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const WITHIN = { timeout: 20_000 };
/** Node has no datagram sockets of Unix; Perl is part of every Debian. */
const RECEIVER = `use Socket; $| = 1;
my $socket; socket($socket, PF_UNIX, SOCK_DGRAM, 0) && bind($socket, sockaddr_un($ARGV[0])) or die $!;
print "open\\n";
while (defined recv($socket, my $message, 65536, 0)) { $message =~ s/\\n/;/g; print "$message\\n"; }`;

/** What takes the messages of a service, as systemd does. */
class ServiceManager implements AsyncDisposable {
  readonly path: string;
  readonly #child: ChildProcessByStdio<null, Readable, null>;
  readonly #ended: Promise<unknown>;
  #text = "";

  constructor(path: string) {
    this.path = path;
    this.#child = spawn("perl", ["-e", RECEIVER, path], { stdio: ["ignore", "pipe", "inherit"] });
    this.#ended = once(this.#child, "close");
    this.#child.stdout.setEncoding("utf8").on("data", (text: string) => (this.#text += text));
  }

  /** The fields of all messages, in their order. */
  get fields(): readonly string[] {
    return this.#text.split(/[;\n]/);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await this.#ended;
  }
}

test("systemd learns when clients can connect, what the pooler does, that it lives, and that it stops", async ({
  skip,
}) => {
  const programs = ["systemd-notify", "perl"];
  const missing = programs.find((one) => spawnSync(one, ["--version"]).error !== undefined);
  skip(missing !== undefined, `there is no ${missing}`);
  await using directory = await temporaryDirectory();
  await using manager = new ServiceManager(join(directory.path, "notify"));
  await expect.poll(() => manager.fields, WITHIN).toContain("open");
  await using postgres = await startPostgres();
  await postgres.stop();
  await using pooler = startPooler({
    flags: flagsFor(postgres),
    env: { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: "2000000" },
  });
  // PostgreSQL is not there, and the service is ready all the same.
  await expect.poll(() => manager.fields, WITHIN).toContain("READY=1");
  expect(manager.fields).toContain(`MAINPID=${pooler.pid}`);
  await expect
    .poll(() => manager.fields.findLast((field) => field.startsWith("STATUS=")), WITHIN)
    .toMatch(/not ready: .*ECONNREFUSED|not ready: .*refused|not ready: .*does not answer/i);
  await postgres.start();
  await expect
    .poll(() => manager.fields.findLast((field) => field.startsWith("STATUS=")), WITHIN)
    .toBe("STATUS=PRIMARY SERVING");
  const signs = (): number => manager.fields.filter((field) => field === "WATCHDOG=1").length;
  const before = signs();
  await expect.poll(signs, WITHIN).toBeGreaterThan(before);
  expect(manager.fields).not.toContain("STOPPING=1");
  expect(await pooler.stop()).toEqual({ code: 0, signal: null });
  expect(manager.fields).toContain("STOPPING=1");
  expect(pooler.log.filter(({ msg }) => msg.includes("service manager"))).toEqual([]);
}, 90_000);

test("a pooler that cannot tell systemd says so once and serves", async () => {
  await using directory = await temporaryDirectory();
  await using postgres = await startPostgres();
  await using pooler = startPooler({
    flags: flagsFor(postgres),
    env: { NOTIFY_SOCKET: join(directory.path, "nobody"), WATCHDOG_USEC: "200000" },
  });
  await pooler.ready(200, { signal: AbortSignal.timeout(WITHIN.timeout) });
  const complaints = (): number =>
    pooler.log.filter(({ msg }) => msg === "the service manager could not be told").length;
  await expect.poll(complaints, WITHIN).toBe(1);
  await pooler.stop();
  expect(complaints()).toBe(1);
}, 60_000);
