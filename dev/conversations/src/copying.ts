import fc from "fast-check";
import {
  bind,
  copyData,
  copyDone,
  copyFail,
  execute,
  flush,
  parse,
  query,
  sync,
} from "./frontend.ts";

const line = fc.constantFrom(
  "10\tten\n",
  "11\televen\n",
  "12\t\\N\n",
  "13",
  "x\ty\n",
  "10\tagain\n",
  "\n",
  "",
);
/** No Sync stands between data and their end; see the allowed differences. */
const end = fc.constantFrom(
  [copyDone],
  [copyDone],
  [copyFail("no more")],
  [copyDone, sync],
  [flush, copyDone],
  [query("select 'not data'")],
  [copyDone, copyDone],
  [],
);

/** A COPY in either direction, its data and its end, or not. */
export function copying(client: number): fc.Arbitrary<Buffer[]> {
  const text = fc.constantFrom(
    `copy own_${client} from stdin`,
    `copy own_${client} from stdin`,
    `copy own_${client} from stdin; select 1`,
    `begin; copy own_${client} from stdin; commit`,
    "copy missing from stdin",
    "copy many to stdout",
    "copy (select 1 / (n - 30) from many order by n) to stdout",
    `select 1; copy own_${client} to stdout`,
  );
  const begun = text.chain((sql) =>
    fc.constantFrom(
      [query(sql)],
      [query(sql)],
      [parse(sql), bind(), execute()],
      [parse(sql), bind(), execute(), sync],
    ),
  );
  return fc
    .tuple(
      begun,
      fc.array(
        line.map((data) => copyData(data)),
        { maxLength: 4 },
      ),
      end,
    )
    .map((parts) => parts.flat());
}
