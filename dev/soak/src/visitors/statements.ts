import type { Visit } from "../visit.ts";

const NAMES = 6;

/** Queries in the simple protocol, right and wrong. */
export async function simpleQueries(visit: Visit): Promise<void> {
  await using connection = await visit.connect();
  for await (const step of visit.steps()) {
    switch (visit.chance.between(0, 5)) {
      case 0:
        await visit.write(1, (rows) => connection.query(`insert into ledger values ${rows}`));
        break;
      case 1:
        await visit.refused(connection.query("select 1 / 0"), "22012");
        break;
      case 2:
        await connection.query(`set work_mem = '${64 + step}kB'`);
        visit.same("work_mem", await connection.value("show work_mem"), `${64 + step}kB`);
        break;
      case 3:
        await connection.query("select 1; select 2; select count(*) from account");
        break;
      case 4:
        await connection.query("create temporary table own (n int); insert into own values (1)");
        visit.same("own rows", await connection.value("select count(*) from own"), "1");
        await connection.query("drop table own");
        break;
      default:
        visit.same("value", await connection.value(`select ${step}`), String(step));
    }
  }
}

/** Statements of the extended protocol, most of them prepared and used more than once. */
export async function preparedStatements(visit: Visit): Promise<void> {
  await using connection = await visit.connect({ options: "-c DateStyle=German" });
  for await (const step of visit.steps()) {
    const name = visit.chance.between(1, NAMES);
    switch (visit.chance.between(0, 4)) {
      case 0:
        await visit.write(2, (rows) =>
          connection.query(`insert into ledger values ${rows} returning $1::int`, [step]),
        );
        break;
      case 1:
        await visit.refused(connection.query("select 1 / $1::int", [0]), "22012");
        break;
      case 2:
        visit.same(
          "date",
          await connection.value("select $1::date::text", ["2001-02-03"]),
          "03.02.2001",
        );
        break;
      default: {
        const text = `select $1::int + ${name} as sum from account where id = ${name}`;
        const { rows } = await connection.prepared(`sum ${name}`, text, [step]);
        visit.same("sum", JSON.stringify(rows), JSON.stringify([{ sum: step + name }]));
      }
    }
  }
}
