/**
 * Loaded into the services of a fault run before anything else (`node --import`): kills the process at the point that
 * `crash-points.ts` names, sets its clock wrong, and leads its connections through the proxies of the run.
 */
import net from "node:net";
import { watchBoundaries } from "./boundaries.ts";
import { CONTROL_VARIABLE, claimCrash, hear, introduce } from "./control.ts";
import { NO_ORDERS, readOrders, type Orders } from "./control.ts";
import { isMeant } from "./crash-points.ts";

const LISTEN_EVERY_MS = 20;

const directory = process.env[CONTROL_VARIABLE];
const service = /services\/([a-z]+)\/main\.ts$/.exec(
  process.argv[1] ?? "",
)?.[1];
if (directory !== undefined && service !== undefined) obey(directory, service);

function obey(folder: string, name: string): void {
  let orders: Orders = NO_ORDERS;
  let left = 0;
  const listen = () => {
    const next = readOrders(folder);
    if (next.id === orders.id) return;
    orders = next;
    left = next.crash?.nth ?? 0;
    hear(folder, name, orders.id);
  };
  introduce(folder, name);
  listen();
  setInterval(listen, LISTEN_EVERY_MS).unref();
  shiftClock(() => orders.clocks[name] ?? 0);
  leadConnections((port) => orders.ports[port] ?? port);
  watchBoundaries((deed) => {
    const { crash, id } = orders;
    if (crash?.service !== name || left === 0) return undefined;
    if (!isMeant(crash, deed)) return undefined;
    const die = () => {
      if (left === 0 || --left > 0) return;
      if (claimCrash(folder, id)) process.kill(process.pid, "SIGKILL");
    };
    if (crash.when === "after") return die;
    die();
    return undefined;
  });
}

/** The wall clock only: the monotonic one of `performance.now` and of timers can't jump. */
function shiftClock(offsetMs: () => number): void {
  const real = Date.now;
  Date.now = () => real() + offsetMs();
  globalThis.Date = new Proxy(Date, {
    construct: (target, args, newTarget) =>
      // What `new` makes is an object.
      Reflect.construct(
        target,
        args.length === 0 ? [target.now()] : args,
        newTarget,
      ) as object,
  });
}

function leadConnections(lead: (port: number) => number): void {
  const { connect } = net.Socket.prototype;
  net.Socket.prototype.connect = function (
    this: net.Socket,
    ...args: unknown[]
  ) {
    // Node's own callers bring a list of normalized arguments, others an object, or port and host.
    const list: unknown[] = Array.isArray(args[0]) ? args[0] : args;
    const [first] = list;
    if (typeof first === "number") list[0] = lead(first);
    else if (typeof first === "object" && first !== null && "port" in first) {
      list[0] = { ...first, port: lead(Number(first.port)) };
    }
    // The same overloads as before.
    return Reflect.apply(connect, this, args) as net.Socket;
  };
}
