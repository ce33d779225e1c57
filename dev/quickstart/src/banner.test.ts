import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { thingsToTry, whatRuns } from "./banner.ts";
import { DEFAULT_PORTS } from "./options.ts";
import { membersIn } from "./members.ts";
import { placesIn } from "./places.ts";

const running = {
  ports: DEFAULT_PORTS,
  places: placesIn("/home/me/multipooler/.multipooler"),
  postgres: 100,
  pooler: 2000,
  replicas: [],
  switchover: undefined,
  cwd: "/home/me/multipooler",
};

test("says in columns what runs where", () => {
  expect(whatRuns(running)).toBe(
    [
      "  PostgreSQL 17  127.0.0.1:15432         process 100   data  .multipooler/postgres",
      "                                                       log   .multipooler/server/postgresql.log",
      "                                                       role  postgres, password in .multipooler/postgres-password",
      "  pooler         127.0.0.1:15433         process 2000  log   .multipooler/pooler.log",
      "                                                       conf  .multipooler/pooler.yaml",
      "  pooler, gRPC   127.0.0.1:15270",
      "  status page    http://127.0.0.1:15200                beside it  /ready  /metrics  /config",
      "",
    ].join("\n"),
  );
});

test("shows whole paths when they are elsewhere", () => {
  expect(whatRuns({ ...running, cwd: "/var" })).toContain(
    "/home/me/multipooler/.multipooler/pooler.log\n",
  );
});

test("offers four commands, with the address where it is not the default", () => {
  expect(thingsToTry(running).split("\n").filter(Boolean)).toHaveLength(4);
  expect(thingsToTry(running)).toContain('npm run ctl -- query "select');
  expect(thingsToTry(running)).toContain("kill -9 100 ");
  expect(thingsToTry(running)).toContain(
    'PGPASSWORD="$(cat .multipooler/postgres-password)" psql -h 127.0.0.1 -p 15433 -U postgres ',
  );
  const elsewhere = thingsToTry({ ...running, ports: { ...DEFAULT_PORTS, grpc: 99 } });
  expect(elsewhere).toContain('npm run ctl -- query --address 127.0.0.1:99 "select');
  expect(elsewhere).toContain("npm run ctl -- status --address 127.0.0.1:99 ");
});

test("names each replica, and how to read there", () => {
  const [, replica] = membersIn("/home/me/multipooler/.multipooler", DEFAULT_PORTS, 1);
  assert.ok(replica);
  const { ports, places } = replica;
  const replicas = [{ title: "replica 1", ports, places, postgres: 300, pooler: 4000 }];
  const text = whatRuns({ ...running, replicas });
  expect(text).toContain(
    "  replica 1       127.0.0.1:15442         process 300   data  .multipooler/replica-1/postgres\n",
  );
  expect(text).toContain(
    "    pooler        127.0.0.1:15443         process 4000  log   .multipooler/replica-1/pooler.log\n",
  );
  expect(thingsToTry({ ...running, replicas })).toMatch(
    /PGPASSWORD="\$\(cat \.multipooler\/postgres-password\)" psql -h 127\.0\.0\.1 -p 15443 -U postgres +reads on replica 1\n/,
  );
  const switchover = { from: 15270, to: 15280, followers: [15_290], title: "replica 1" };
  expect(thingsToTry({ ...running, replicas, switchover })).toMatch(
    /ctl -- switchover --from 127\.0\.0\.1:15270 --to 127\.0\.0\.1:15280 --follower 127\.0\.0\.1:15290 +replica 1 becomes the primary\n/,
  );
});

test("quotes a path for the shell", () => {
  const text = thingsToTry({ ...running, places: placesIn("/tmp/it's here") });
  expect(text).toContain(`"$(cat '/tmp/it'\\''s here/postgres-password')"`);
});

test("does not offer to kill a PostgreSQL whose process it does not know", () => {
  const text = thingsToTry({ ...running, postgres: undefined });
  expect(text).not.toContain("kill");
  expect(text).toContain("curl -i http://127.0.0.1:15200/ready");
});
