import { connect } from "@multipooler/grpc-services/client";
import { startPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { servingPooler, valueOf } from "./serving-pooler.ts";

test("pg_stat_activity says of each session which pooler it is of, and what for", async () => {
  await using postgres = await startPostgres();
  await using pooler = await servingPooler(postgres);
  using client = connect({ address: await pooler.grpc() });
  await valueOf(client, "select set_config('application_name', 'mine', false)");
  const rows = await postgres.sql(
    `select application_name as name from pg_stat_activity
     where backend_type = 'client backend' and pid <> pg_backend_pid()`,
  );
  const names = new Set(rows.map(({ name }) => name));
  for (const name of names) {
    expect(name).toMatch(/^multipooler zone1_e2e \S/);
  }
  expect(names).toContain("multipooler zone1_e2e regular");
  expect(names).toContain("multipooler zone1_e2e heartbeat");
});
