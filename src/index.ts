// What users import from 'millrace': definitions and types. The only barrel file. `rows.ts` is exported whole, because a
// module augmentation (`millrace-env.d.ts`) reaches only interfaces that stand in the module or come by `export *`.
export type { Duration } from './core/duration.ts'
export * from './define/access.ts'
export * from './define/alert.ts'
export * from './define/checks.ts'
export { config, secret } from './define/config.ts'
export * from './define/dashboard.ts'
export type { Definition } from './define/definition.ts'
export * from './define/endpoint.ts'
export { type Field, type Fields, type InputOf, type RowOf, ref, t } from './define/field.ts'
export type { PartitionOf, RelationHow } from './define/how.ts'
export * from './define/job.ts'
export {
  type AzureLakeHow,
  azureLake,
  type GoogleLakeHow,
  googleLake,
  type HdfsLakeHow,
  hdfsLake,
  type LakeSettings,
  type PlaceSettings,
  type RestCatalogHow,
  restCatalog,
  type S3LakeHow,
  type S3VendHow,
  s3Lake,
} from './define/lake.ts'
export type { Manifest } from './define/manifest.ts'
export { type Model, type ModelHow, model } from './define/model.ts'
export type { Attribute, Predicate, PredicateColumn } from './define/predicate.ts'
export * from './define/processor.ts'
export { type EmbeddedEnvironment, type EmbeddedHow, embedded, type Project, type ProjectHow, project } from './define/project.ts'
export type { Column, ColumnRef, Declared, Relation } from './define/relation.ts'
export * from './define/rows.ts'
export { type Sink, type SinkHow, sink } from './define/sink.ts'
export * from './define/source.ts'
export { type Param, type Sql, type SqlHole, sql } from './define/sql.ts'
export * from './define/state.ts'
export { type StreamHow, stream } from './define/stream.ts'
export { type TableHow, table } from './define/table.ts'
export { bar, heat, line, number, type Tile, type TileHow } from './define/tile.ts'
export type { Decimal, Instant } from './define/values.ts'
