// What every definition is: a frozen value with a kind, a name and the place where the user wrote it. Nothing is
// registered anywhere: a project is the values that its entry file exports.

/** Our own members start with `$`, so that a relation's columns can be its properties. */
export interface Definition<K extends string = string, N extends string = string> {
  readonly $kind: K
  readonly $name: N
  /** `path:line`, the path absolute; the manifest makes it relative. */
  readonly $at: string
}

/** True for what `stream`, `role`, `job`, ... return; false for columns, SQL and fields. */
export function isDefinition(value: unknown): value is Definition {
  return typeof value === 'object' && value !== null && typeof (value as Definition).$name === 'string' && '$at' in value
}
