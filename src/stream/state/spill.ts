// Where shards go that have no room in memory. What is there is scratch: a process that starts anew finds none of it and needs
// none of it, since every checkpoint has all state.

export interface Spill {
  write(name: string, content: Uint8Array): void
  /** What was written last under the name. */
  read(name: string): Uint8Array
  remove(name: string): void
}

/** Some memory, shared by the partitions of one processor. */
export interface Room {
  readonly limitBytes: number
  readonly spill: Spill
}

/** In memory, which wins nothing: for tests. */
export function memorySpill(): Spill & { readonly files: Map<string, Uint8Array>; writes: number } {
  const files = new Map<string, Uint8Array>()
  const spill = {
    files,
    writes: 0,
    write: (name: string, content: Uint8Array) => {
      files.set(name, content.slice())
      spill.writes++
    },
    read: (name: string) => files.get(name)!,
    remove: (name: string) => void files.delete(name),
  }
  return spill
}
