// `table`: rows with a key that later rows replace, loaded from a source. The same word makes a tile of a dashboard when
// its second argument is SQL or a relation.
import type { Fields, KeyOf } from './field.ts'
import type { PartitionOf, RelationHow } from './how.ts'
import type { KafkaTopic } from './kafka.ts'
import { placeOf } from './place.ts'
import { type Declared, declaredRelation, type Relation } from './relation.ts'
import type { FilesSource, HttpSource } from './source.ts'
import { isSql, type Sql } from './sql.ts'
import { type Tile, type TileHow, tileOf } from './tile.ts'

export interface TableHow<S extends Fields> extends RelationHow {
  /** Absent: rows come from nowhere but other engines, through the Iceberg catalog. */
  readonly from?: HttpSource | FilesSource | KafkaTopic
  /** Columns that identify a row. */
  readonly key?: KeyOf<S> | readonly KeyOf<S>[]
  /** full: each load replaces all; append: new files only; upsert: merged by key. Default: upsert with a key, else full. */
  readonly load?: 'full' | 'append' | 'upsert'
  readonly partition?: readonly PartitionOf<S>[]
  /** Columns by which files are sorted. */
  readonly cluster?: readonly KeyOf<S>[]
}

/** A table. `name` is the identity of its stored data. */
export function table<const N extends string, S extends Fields>(name: N, fields: S, how?: TableHow<S>): Declared<N, S, 'table'>
/** A tile of a dashboard that lists rows. */
export function table<R>(title: string, what: Sql | Relation<string, R>, how?: TileHow<R>): Tile
export function table(name: string, what: Fields | Sql | Relation, how: object = {}): unknown {
  if (isSql(what) || typeof what['$name'] === 'string') return tileOf('table', name, what as Sql, how, placeOf(table))
  return declaredRelation({ $kind: 'table', $name: name, $at: placeOf(table), $how: how }, what as Fields)
}
