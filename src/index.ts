// What users import from 'millrace': definitions and types. The only barrel file.
export type { Duration } from './core/duration.ts'
