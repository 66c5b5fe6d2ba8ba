// What was found out about questions by their text, kept while the definitions stay what they are.
import type { Manifest } from '../define/manifest.ts'

const VERDICTS_MAX = 2_000

/** Whether questions need two stages, by their text, for one state of the definitions. */
export class Verdicts {
  #manifest: Manifest | undefined
  readonly #known = new Map<string, boolean>()

  of(manifest: Manifest): Map<string, boolean> {
    if (this.#manifest !== manifest || this.#known.size > VERDICTS_MAX) this.#known.clear()
    this.#manifest = manifest
    return this.#known
  }
}
