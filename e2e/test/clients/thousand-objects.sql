-- Further objects, so that there are more than 1,000: domains, types, tables with sequences, indexes, keys,
-- triggers, policies, comments and rows, views and functions.
create schema many;
do $$ begin
  for n in 1..20 loop
    execute format('create domain many.d%s as int check (value > %s)', n, -n);
    execute format('create type many.e%s as enum (''a'', ''b%s'')', n, n);
    execute format('create type many.c%s as (x int, y many.e%s)', n, n);
  end loop;
  for n in 1..100 loop
    execute format('create table many.t%s (id serial primary key, a int, b text default %L, c many.d%s, e many.e%s)', n, 'd' || n, (n - 1) % 20 + 1, (n - 1) % 20 + 1);
    if n > 1 then execute format('alter table many.t%s add foreign key (a) references many.t%s', n, n - 1); end if;
    execute format('create index on many.t%s (b, c)', n);
    execute format('create view many.v%s as select id, upper(b) as u from many.t%s', n, n);
    execute format('create function many.f%s() returns trigger language plpgsql as %L', n, 'begin return new; end');
    execute format('create trigger g%s before insert on many.t%s for each row execute function many.f%s()', n, n, n);
    execute format('create policy p%s on many.t%s using (id > %s)', n, n, n);
    execute format('comment on table many.t%s is %L', n, 'table ' || n);
    execute format('insert into many.t%s (b, c, e) select %L || g, g, ''a'' from generate_series(1, 50) g', n, E'tab\t\\ "quoted" ''');
  end loop;
end $$;
