// References to values of the environment. They are resolved when used: loading a project reads no environment variable,
// and a secret never stands in the manifest, a log or lineage.
import type { ConfigRef } from './manifest.ts'

/** The variable `name` of the environment; `fallback` when it is not set. */
export function config(name: string, fallback?: string): ConfigRef {
  return Object.freeze({ kind: 'config', name, ...(fallback === undefined ? {} : { fallback }) })
}

/** The variable `name` of the environment, never printed. */
export function secret(name: string): ConfigRef {
  return Object.freeze({ kind: 'secret', name })
}
