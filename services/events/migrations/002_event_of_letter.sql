-- A topic that is made anew counts its offsets from 0 again: another event at a known offset is another dead letter.
alter table dead_letters
  drop constraint dead_letters_consumer_group_topic_partition_record_offset_key,
  add constraint dead_letters_origin unique (consumer_group, topic, partition, record_offset, event_id);
