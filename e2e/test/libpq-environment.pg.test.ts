import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startPooler } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { temporaryDirectory } from "./temporary-directory.ts";

const READY_LIMIT_MS = 20_000;

test("a service and a password file of libpq are enough to find the server", async () => {
  await using directory = await temporaryDirectory();
  await using postgres = await startPostgres({
    auth: "scram-sha-256",
    password: String.raw`it's: a \secret`,
  });
  const services = join(directory.path, "services.conf");
  await writeFile(services, `[shop]\nhost=localhost\nport=${postgres.port}\n`);
  const passfile = join(directory.path, "passfile");
  await writeFile(
    passfile,
    `localhost:${postgres.port}:*:postgres:${String.raw`it's\: a \\secret`}\n`,
  );
  await chmod(passfile, 0o600);
  await using pooler = startPooler({
    flags: { "initial-pooler-type": "primary" },
    env: {
      PGSERVICE: "shop",
      PGSERVICEFILE: services,
      PGHOSTADDR: postgres.host,
      PGUSER: "postgres",
      PGPASSFILE: passfile,
    },
  });
  await pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
  const answer = await fetch(`${await pooler.http()}/config`);
  expect(await answer.json()).toMatchObject({
    settings: expect.arrayContaining([
      {
        name: "pg-host",
        value: "localhost",
        source: "service",
        from: `host of service "shop" in ${services}`,
      },
      { name: "pg-hostaddr", value: postgres.host, source: "environment", from: "PGHOSTADDR" },
      { name: "pg-passfile", value: passfile, source: "environment", from: "PGPASSFILE" },
    ]),
  });
});
