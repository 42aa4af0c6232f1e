import { eventually } from "../../support/eventually.ts";
import type { World } from "./coordination-world.ts";

const SCHEMAS = ["orders", "inventory", "payment"] as const;

/** Stands between the services and the broker: what they announce is held back, repeated or forgotten. */
export interface Meddler {
  /** From now on events of these types are stored and not published. */
  hold(...types: string[]): Promise<void>;
  /** From now on each event is published twice, the second time under another id. */
  double(): Promise<void>;
  /** Nothing more is held or doubled; what was held of the order is published, if `late`. */
  letGo(order: string, late: boolean): Promise<void>;
  /** All events of an order are published once more, as they are and as copies under other ids; resolves when they were. */
  repeat(order: string): Promise<void>;
}

const columns = `slot, type, aggregate_id, tenant, sequence, occurred_at, payload, traceparent, tracestate, schema_version`;

export async function meddleWithEvents(world: World): Promise<Meddler> {
  await world.administer(`
    create function public.hold_event() returns trigger language plpgsql as $$
    begin
      if new.type = any(tg_argv) then new.published_at := clock_timestamp(); end if;
      return new;
    end $$;
    create function public.double_event() returns trigger language plpgsql as $$
    begin
      if pg_trigger_depth() = 1 then
        execute format(
          'insert into %I.outbox (id, ${columns}) select gen_random_uuid(), ${columns} from %I.outbox where id = $1',
          tg_table_schema, tg_table_schema
        ) using new.id;
      end if;
      return null;
    end $$`);
  const everywhere = (statement: (schema: string) => string) =>
    world.administer(SCHEMAS.map(statement).join(";\n"));
  return {
    async hold(...types) {
      const names = types.map((type) => `'${type}'`).join(", ");
      await everywhere(
        (schema) =>
          `create trigger hold before insert on ${schema}.outbox
           for each row execute function public.hold_event(${names})`,
      );
    },
    async double() {
      await everywhere(
        (schema) =>
          `create trigger double after insert on ${schema}.outbox
           for each row execute function public.double_event()`,
      );
    },
    async letGo(order, late) {
      await everywhere(
        (schema) => `drop trigger if exists hold on ${schema}.outbox;
                     drop trigger if exists double on ${schema}.outbox`,
      );
      if (late) await everywhere((schema) => publishAgain(schema, order));
    },
    async repeat(order) {
      await everywhere(
        (schema) => `${publishAgain(schema, order)};
          insert into ${schema}.outbox (id, ${columns})
          select gen_random_uuid(), ${columns}
          from ${schema}.outbox
          where aggregate_id = '${idOf(order)}'
          order by position desc`,
      );
      await eventually(`all of ${order} is published`, async () => {
        const open = await world.administer(
          SCHEMAS.map(
            (schema) => `select from ${schema}.outbox
              where aggregate_id = '${idOf(order)}' and published_at is null`,
          ).join(" union all "),
        );
        return open.length === 0;
      });
    },
  };
}

function publishAgain(schema: string, order: string): string {
  return `update ${schema}.outbox set published_at = null where aggregate_id = '${idOf(order)}'`;
}

export function idOf(order: string): string {
  return order.slice("orders/".length);
}
