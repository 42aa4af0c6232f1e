create index orders_of_customer on orders (tenant, customer, created_at desc, id desc);
