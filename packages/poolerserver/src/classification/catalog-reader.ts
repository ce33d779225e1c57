import { setImmediate as nextTurn } from "node:timers/promises";
import { toSqlText } from "@multipooler/pgwire";
import { BUILTIN_TAINTS, PROMPT_VOLATILE_FUNCTIONS } from "./builtin-functions.ts";
import * as queries from "./catalog-queries.ts";
import { objectOf, textOf, usageOf } from "./catalog-rows.ts";
import type { AdminQuery, Row } from "./catalog-rows.ts";
import { WAITS, onInsert } from "./effect.ts";
import type { Effect } from "./effect.ts";
import { EffectGraph, effectThrough, keyOf } from "./effect-graph.ts";
import type { CatalogObject, UsageEdge } from "./effect-graph.ts";
import type { KnownEffects } from "./known-effects.ts";
import { Taint } from "./taint.ts";
import { effectOfBody, userFunctionOf } from "./user-function.ts";
import type { UserFunction } from "./user-function.ts";

/** So much code of functions is read in one turn of the event loop. */
const SOURCE_BYTES_A_TURN = 128 * 1024;

interface CatalogReaderOptions {
  readonly admin: AdminQuery;
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Finds out from a server's catalog which names do something to a session, or wait. */
export class CatalogReader {
  readonly #admin: AdminQuery;
  #last: { readonly signature: string; readonly known: KnownEffects } | undefined;

  constructor({ admin }: CatalogReaderOptions) {
    this.#admin = admin;
  }

  /** The same object as before if nothing has changed. Rejects as the query does. */
  async read(options: CallOptions): Promise<KnownEffects> {
    const [row = {}] = await this.#admin(queries.SIGNATURE, [], options);
    const signature = textOf(row, "signature");
    if (this.#last?.signature !== signature) {
      this.#last = { signature, known: await this.#readAll(options) };
    }
    return this.#last.known;
  }

  async #readAll(options: CallOptions): Promise<KnownEffects> {
    const builtins = builtinsOf(
      await this.#admin(queries.BUILTIN_FUNCTIONS, [[...BUILTIN_TAINTS.keys()].join(",")], options),
    );
    const graph = new EffectGraph();
    await this.#addExpressions(graph, builtins, options);
    const functions = await this.#readFunctions(builtins, options);
    const known: KnownEffects = {
      names: graph.names,
      operators: graph.operators,
      waitingCalls: builtins.waitingNames,
      get anything() {
        return graph.anything;
      },
      get ddl() {
        return graph.ddl;
      },
    };
    for (const { object, effect } of functions) {
      graph.add(object, effect);
    }
    do {
      await this.#spread(graph, options);
    } while (addBodies(graph, functions, known));
    return known;
  }

  /** What uses functions of pg_catalog in an expression, and what uses a sequence of its own. */
  async #addExpressions(
    graph: EffectGraph,
    builtins: Builtins,
    options: CallOptions,
  ): Promise<void> {
    const pattern = String.raw`:(?:funcid|opfuncid|aggfnoid|winfnoid) (${[...builtins.byOid.keys()].join("|")})\M`;
    for (const row of await this.#admin(queries.EXPRESSIONS, [pattern], options)) {
      const effect = builtins.byOid.get(textOf(row, "function")) ?? 0;
      graph.add(objectOf(row), effectThrough(usageOf(row), effect));
    }
    for (const row of await this.#admin(queries.IDENTITY_RELATIONS, [], options)) {
      graph.add({ ...objectOf(row), kind: "relation" }, onInsert(Taint.Sequences));
    }
  }

  async #readFunctions(builtins: Builtins, options: CallOptions): Promise<UserFunction[]> {
    const functions: UserFunction[] = [];
    let bytes = 0;
    for (const row of await this.#admin(queries.USER_FUNCTIONS, [], options)) {
      functions.push(userFunctionOf(row, builtins.bySource));
      bytes += textOf(row, "source").length;
      if (bytes > SOURCE_BYTES_A_TURN) {
        bytes = 0;
        await nextTurn();
      }
    }
    return functions;
  }

  /** Asks the server for the users of what has an effect, and for the users of these, and so on. */
  async #spread(graph: EffectGraph, options: CallOptions): Promise<void> {
    for (;;) {
      const objects = graph.spread();
      if (objects.length === 0) {
        return;
      }
      const edges = await this.#usersOf(objects, options);
      for (const object of objects) {
        graph.connect(object, edges.get(keyOf(object)) ?? []);
      }
    }
  }

  async #usersOf(
    objects: readonly CatalogObject[],
    options: CallOptions,
  ): Promise<ReadonlyMap<string, UsageEdge[]>> {
    const edges = new Map<string, UsageEdge[]>();
    const values = [
      objects.map(({ kind }) => kind).join(","),
      objects.map(({ oid }) => oid).join(","),
    ];
    for (const row of await this.#admin(queries.USERS, values, options)) {
      const key = keyOf({ kind: textOf(row, "source"), oid: textOf(row, "id") });
      const list = edges.get(key) ?? [];
      list.push({ usage: usageOf(row), user: objectOf(row) });
      edges.set(key, list);
    }
    return edges;
  }
}

/** Functions of pg_catalog that do something to the session, or wait. */
interface Builtins {
  readonly byOid: ReadonlyMap<string, Effect>;
  /** By the name of the C function. */
  readonly bySource: ReadonlyMap<string, Effect>;
  readonly waitingNames: ReadonlySet<string>;
}

function builtinsOf(rows: readonly Row[]): Builtins {
  const byOid = new Map<string, Effect>();
  const bySource = new Map<string, Effect>();
  const waitingNames = new Set<string>();
  for (const row of rows) {
    const name = textOf(row, "name");
    const waits = textOf(row, "volatility") === "v" && !PROMPT_VOLATILE_FUNCTIONS.has(name);
    const effect = (BUILTIN_TAINTS.get(name) ?? 0) | (waits ? WAITS : 0);
    if (effect === 0) {
      continue;
    }
    byOid.set(textOf(row, "oid"), effect);
    bySource.set(textOf(row, "source"), effect);
    if (waits) {
      waitingNames.add(toSqlText(name));
    }
  }
  return { byOid, bySource, waitingNames };
}

/** Adds what the code of functions does by the names in it. Returns whether there was news. */
function addBodies(
  graph: EffectGraph,
  functions: readonly UserFunction[],
  known: KnownEffects,
): boolean {
  let hasNews = false;
  for (const { object, facts } of functions) {
    if (facts !== undefined) {
      hasNews = graph.add(object, effectOfBody(facts, known)) || hasNews;
    }
  }
  return hasNews;
}
