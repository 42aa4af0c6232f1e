/** One event of an order, as it came back from Kafka. */
export interface TimelineEntry {
  readonly eventId: string;
  readonly type: string;
  readonly source: string;
  readonly eventTime: Date;
  readonly receiveTime: Date;
  /** 32 hex digits, or empty where the event came without a trace. */
  readonly traceId: string;
}
