/** Of the services that settle an order: each has an outbox, and keys that wait in retry. */
export const SCHEMAS = ["orders", "inventory", "payment"] as const;
