import type { MessageInitShape } from "@bufbuild/protobuf";
import type { PlanSchema } from "../../../../gen/ts/spark/connect/base_pb.ts";
import { WriteOperation_SaveMode } from "../../../../gen/ts/spark/connect/commands_pb.ts";
import {
  Expression_SortOrder_NullOrdering,
  Expression_SortOrder_SortDirection,
  type ExpressionSchema,
  type Expression_SortOrderSchema,
} from "../../../../gen/ts/spark/connect/expressions_pb.ts";
import {
  Aggregate_GroupType,
  type RelationSchema,
  SetOperation_SetOpType,
} from "../../../../gen/ts/spark/connect/relations_pb.ts";
import type { RecordOrder } from "../../domain/sort-plan.ts";
import { keyExpression, type SparkKey } from "./key-expression.ts";
import { observed, totalsSql } from "./totals.ts";

type Relation = MessageInitShape<typeof RelationSchema>;
type Expression = MessageInitShape<typeof ExpressionSchema>;
type SortOrder = MessageInitShape<typeof Expression_SortOrderSchema>;
type Plan = MessageInitShape<typeof PlanSchema>;

/** Where a sort reads and writes, as Spark calls the places. */
export interface SparkPlaces {
  readonly inputs: readonly string[];
  /** A folder that is not there yet. */
  readonly output: string;
}

/** The only column of text, in Spark's own words. */
const line = "value";
const keyName = (index: number) => `weft_key_${index}`;
/** Where a line stood: the number of its input, where its split begins there, and its number in the split. */
const position = ["weft_input", "weft_split", "weft_row"] as const;

/**
 * A sort as Spark carries it out: lines are read, ordered by expressions over them, and written as they were. Its parts, one
 * after the other, are the bytes that our own engine writes; {@link whyNotSpark} says for which orders that holds.
 */
export function sortPlan(order: RecordOrder, places: SparkPlaces): Plan {
  const keys = order.keys as readonly SparkKey[];
  const needsPosition = order.stable && keys.length > 0;
  let lines = relation("collectMetrics", {
    input: needsPosition ? readInOrder(places.inputs) : readText(places.inputs),
    name: observed,
    metrics: totals(),
  });
  if (order.unique) {
    lines = relation("deduplicate", { input: lines, columnNames: [line] });
  }
  if (keys.length > 0) {
    const aliases = keys.map((key, index) => ({
      expr: sql(keyExpression(key)),
      name: [keyName(index)],
    }));
    lines = relation("withColumns", { input: lines, aliases });
  }
  const sorted = relation("sort", {
    input: lines,
    order: [...orderOf(order, keys), ...(needsPosition ? inPlace() : [])],
    isGlobal: true,
  });
  const wanted =
    order.top === undefined
      ? sorted
      : relation("limit", { input: sorted, limit: order.top });
  return writePlan(select(wanted, [column(line)]), "text", places.output, {
    lineSep: "\n",
  });
}

/** What files hold, counted where they lie: a line of JSON a file that has any, in one file of the folder `output`. */
export function countPlan(files: readonly string[], output: string): Plan {
  const grouped = relation("aggregate", {
    input: readText(files),
    groupType: Aggregate_GroupType.GROUPBY,
    groupingExpressions: [alias(sql("input_file_name()"), "path")],
    aggregateExpressions: totals(),
  });
  const single = relation("repartition", {
    input: grouped,
    numPartitions: 1,
    shuffle: true,
  });
  return writePlan(single, "json", output, {});
}

function totals(): Expression[] {
  return Object.entries(totalsSql).map(([name, text]) =>
    alias(sql(text), name),
  );
}

function readText(paths: readonly string[]): Relation {
  return relation("read", {
    readType: {
      case: "dataSource",
      value: {
        format: "text",
        schema: `${line} string`,
        // Without it, CR would end a line too, and be lost.
        options: { lineSep: "\n" },
        paths: [...paths],
      },
    },
  });
}

function readInOrder(paths: readonly string[]): Relation {
  const [input, split, row] = position;
  return paths
    .map((path, index) =>
      select(readText([path]), [
        column(line),
        alias(sql(String(index)), input),
        alias(sql("_metadata.file_block_start"), split),
        alias(sql("monotonically_increasing_id()"), row),
      ]),
    )
    .reduce((leftInput, rightInput) =>
      relation("setOp", {
        leftInput,
        rightInput,
        setOpType: SetOperation_SetOpType.UNION,
        isAll: true,
      }),
    );
}

function orderOf(order: RecordOrder, keys: readonly SparkKey[]): SortOrder[] {
  const byKeys = keys.map((key, index) =>
    directed(column(keyName(index)), key.reverse ?? order.reverse),
  );
  const isLastResort = !order.stable || keys.length === 0;
  return isLastResort
    ? [...byKeys, directed(column(line), order.reverse)]
    : byKeys;
}

function inPlace(): SortOrder[] {
  return position.map((name) => directed(column(name), false));
}

function directed(child: Expression, isDescending: boolean): SortOrder {
  const { ASCENDING, DESCENDING } = Expression_SortOrder_SortDirection;
  return {
    child,
    direction: isDescending ? DESCENDING : ASCENDING,
    nullOrdering: Expression_SortOrder_NullOrdering.SORT_NULLS_FIRST,
  };
}

function select(input: Relation, expressions: Expression[]): Relation {
  return relation("project", { input, expressions });
}

function writePlan(
  input: Relation,
  source: string,
  path: string,
  options: Record<string, string>,
): Plan {
  return {
    opType: {
      case: "command",
      value: {
        commandType: {
          case: "writeOperation",
          value: {
            input,
            source,
            saveType: { case: "path", value: path },
            mode: WriteOperation_SaveMode.ERROR_IF_EXISTS,
            options,
          },
        },
      },
    },
  };
}

function sql(expression: string): Expression {
  return { exprType: { case: "expressionString", value: { expression } } };
}

function column(name: string): Expression {
  return {
    exprType: {
      case: "unresolvedAttribute",
      value: { unparsedIdentifier: name },
    },
  };
}

function alias(expr: Expression, name: string): Expression {
  return { exprType: { case: "alias", value: { expr, name: [name] } } };
}

type RelType = NonNullable<Relation["relType"]>;

function relation<K extends RelType["case"] & string>(
  kind: K,
  value: Extract<RelType, { case: K }>["value"],
): Relation {
  return { relType: { case: kind, value } as RelType };
}
