import { join } from "node:path";
import { eq, relations, sql } from "drizzle-orm";
import { drizzle as withPg } from "drizzle-orm/node-postgres";
import { migrate as migrateWithPg } from "drizzle-orm/node-postgres/migrator";
import * as columns from "drizzle-orm/pg-core";
import type { PgDatabase, PgQueryResultHKT } from "drizzle-orm/pg-core";
import { drizzle as withPostgresJs } from "drizzle-orm/postgres-js";
import { migrate as migrateWithPostgresJs } from "drizzle-orm/postgres-js/migrator";
import pg from "pg";
import postgresJs from "postgres";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ClientPooler } from "../client-pooler.ts";

const { check, index, integer, jsonb, pgEnum, pgTable, primaryKey, text, timestamp } = columns;

const MIGRATIONS = { migrationsFolder: join(import.meta.dirname, "drizzle-migrations") };
const CAPACITY = 2;
/** More connections of a driver than the pooler has. */
const CLIENTS = 8;
const PEOPLE = 10;
const TRANSFERS = 40;
const BALANCE = 100;

const role = pgEnum("role", ["reader", "writer"]);
const people = pgTable(
  "people",
  {
    id: integer().primaryKey().generatedAlwaysAsIdentity(),
    name: text().notNull().unique(),
    role: role().notNull().default("reader"),
    balance: integer().notNull().default(0),
    labels: text().array().notNull().default([]),
    settings: jsonb().$type<{ readonly theme: string }>(),
    joinedAt: timestamp("joined_at", { withTimezone: true }).notNull().defaultNow(),
  },
  ({ balance }) => [check("solvent", sql`${balance} >= 0`)],
);
const posts = pgTable(
  "posts",
  {
    id: integer().primaryKey().generatedAlwaysAsIdentity(),
    authorId: integer("author_id")
      .notNull()
      .references(() => people.id, { onDelete: "cascade" }),
    title: text().notNull(),
  },
  ({ authorId }) => [index("posts_author").on(authorId)],
);
const likes = pgTable(
  "likes",
  {
    postId: integer("post_id")
      .notNull()
      .references(() => posts.id),
    personId: integer("person_id")
      .notNull()
      .references(() => people.id),
  },
  ({ postId, personId }) => [primaryKey({ columns: [postId, personId] })],
);
const ofPeople = relations(people, ({ many }) => ({ posts: many(posts) }));
const ofPosts = relations(posts, ({ one, many }) => ({
  author: one(people, { fields: [posts.authorId], references: [people.id] }),
  likes: many(likes),
}));
const ofLikes = relations(likes, ({ one }) => ({
  post: one(posts, { fields: [likes.postId], references: [posts.id] }),
}));
const schema = { role, people, posts, likes, ofPeople, ofPosts, ofLikes };

type Database<Kind extends PgQueryResultHKT> = PgDatabase<Kind, typeof schema>;

let pooler: ClientPooler;

beforeAll(async () => {
  pooler = await ClientPooler.start({ "connpool-global-capacity": String(CAPACITY) });
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
});

afterEach(async () => {
  await pooler.postgres.sql("drop schema public, drizzle cascade");
  await pooler.postgres.sql("create schema public");
});

test("Drizzle works over node-postgres", { timeout: 60_000 }, async () => {
  const pool = new pg.Pool({ ...pooler.address, max: CLIENTS });
  try {
    const db = withPg(pool, { schema });
    await migrateWithPg(db, MIGRATIONS);
    await migrateWithPg(db, MIGRATIONS);
    await expect(useSchema(db)).resolves.toBeUndefined();
  } finally {
    await pool.end();
  }
});

test("Drizzle works over postgres.js", { timeout: 60_000 }, async () => {
  const client = postgresJs({ ...pooler.address, max: CLIENTS, onnotice: () => undefined });
  try {
    const db = withPostgresJs(client, { schema });
    await migrateWithPostgresJs(db, MIGRATIONS);
    await migrateWithPostgresJs(db, MIGRATIONS);
    await expect(useSchema(db)).resolves.toBeUndefined();
  } finally {
    await client.end();
  }
});

/** What an application does with a schema: rows in and out, relations, transactions, many at once. */
async function useSchema<Kind extends PgQueryResultHKT>(db: Database<Kind>): Promise<void> {
  const ids = await addPeople(db);
  await readRelated(db, ids);
  await rollBack(db);
  await runPrepared(db, ids);
  await transfer(db, ids);
}

async function addPeople<Kind extends PgQueryResultHKT>(db: Database<Kind>): Promise<number[]> {
  const values = Array.from({ length: PEOPLE }, (_, n) => ({
    name: `person ${n}`,
    balance: BALANCE,
    labels: ["a", `"${n}"`],
    settings: { theme: `{${n}}` },
  }));
  const added = await db.insert(people).values(values).returning();
  expect(added).toMatchObject(values);
  expect(added[0]?.joinedAt).toBeInstanceOf(Date);
  const again = { name: "person 0", role: "writer" as const };
  await db
    .insert(people)
    .values(again)
    .onConflictDoUpdate({ target: people.name, set: { role: again.role } });
  expect(
    await db.select({ role: people.role }).from(people).where(eq(people.name, again.name)),
  ).toEqual([{ role: "writer" }]);
  return added.map(({ id }) => id);
}

async function readRelated<Kind extends PgQueryResultHKT>(
  db: Database<Kind>,
  [author = 0, reader = 0]: readonly number[],
): Promise<void> {
  const [post] = await db.insert(posts).values({ authorId: author, title: "first" }).returning();
  await db.insert(likes).values({ postId: post?.id ?? 0, personId: reader });
  const found = await db.query.people.findFirst({
    where: eq(people.id, author),
    columns: { name: true },
    with: { posts: { columns: { title: true }, with: { likes: true } } },
  });
  expect(found).toEqual({
    name: "person 0",
    posts: [{ title: "first", likes: [{ postId: post?.id, personId: reader }] }],
  });
}

async function rollBack<Kind extends PgQueryResultHKT>(db: Database<Kind>): Promise<void> {
  const failing = db.transaction(
    async (outer) => {
      await outer.insert(people).values({ name: "kept until the end" });
      const inner = outer.transaction(async (nested) => {
        await nested.insert(people).values({ name: "taken back" });
        nested.rollback();
      });
      await expect(inner).rejects.toThrow("Rollback");
      const names = await outer.select({ name: people.name }).from(people);
      expect(names).toContainEqual({ name: "kept until the end" });
      expect(names).not.toContainEqual({ name: "taken back" });
      await outer.insert(people).values({ name: "in debt", balance: -1 });
    },
    { isolationLevel: "serializable" },
  );
  await expect(failing).rejects.toMatchObject({ cause: { code: "23514" } });
  expect(await db.$count(people)).toBe(PEOPLE);
}

async function runPrepared<Kind extends PgQueryResultHKT>(
  db: Database<Kind>,
  ids: readonly number[],
): Promise<void> {
  const byId = db.query.people
    .findFirst({ where: eq(people.id, sql.placeholder("id")), columns: { id: true } })
    .prepare("person_by_id");
  const found = await Promise.all([...ids, ...ids, ...ids].map((id) => byId.execute({ id })));
  expect(found.map((person) => person?.id)).toEqual([...ids, ...ids, ...ids]);
}

/** Money that many move at once is neither made nor lost. */
async function transfer<Kind extends PgQueryResultHKT>(
  db: Database<Kind>,
  ids: readonly number[],
): Promise<void> {
  const transfers = Array.from({ length: TRANSFERS }, async (_, n) => {
    // In one order, so that no two of them wait for each other.
    const [from = 0, to = 0] = [n % PEOPLE, (n * 7 + 1) % PEOPLE].toSorted((a, b) => a - b);
    await db.transaction(async (inside) => {
      for (const [person, amount] of [
        [from, -1],
        [to, 1],
      ] as const) {
        await inside
          .update(people)
          .set({ balance: sql`${people.balance} + ${amount}` })
          .where(eq(people.id, ids[person] ?? 0));
      }
    });
  });
  await Promise.all(transfers);
  const [total] = await db.select({ sum: sql<string>`sum(${people.balance})` }).from(people);
  expect(total).toEqual({ sum: String(PEOPLE * BALANCE) });
}
