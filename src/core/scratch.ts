// Files of a process's own: what it has no room for in memory for now. No restart needs them, so nothing is made durable. Writing and
// reading wait: a read of a few kilobytes that the system's cache has costs a tenth of what handing it to a thread does.

export interface ScratchFile {
  /** Behind what there is. @throws the system's error; then the file holds what it held, or more. */
  append(content: Uint8Array): void
  /** Fills `into` from [position, position + into.length), which was appended. */
  read(position: number, into: Uint8Array): void
  /** It is gone. */
  remove(): void
}

export interface Scratch {
  create(): ScratchFile
  /** All its files are gone. */
  close(): void
}

/** In memory, which wins nothing: for tests, and for state that was saved with more than is to be kept now. */
export function memoryScratch(): Scratch & { readonly files: ReadonlySet<ScratchFile>; appended: number; reads: number } {
  const files = new Set<ScratchFile>()
  const scratch = {
    files,
    appended: 0,
    reads: 0,
    close: () => files.clear(),
    create(): ScratchFile {
      let all = new Uint8Array(0)
      let length = 0
      const file: ScratchFile = {
        append(content) {
          if (length + content.length > all.length) {
            const larger = new Uint8Array((length + content.length) * 2)
            larger.set(all.subarray(0, length))
            all = larger
          }
          all.set(content, length)
          length += content.length
          scratch.appended += content.length
        },
        read(position, into) {
          if (position + into.length > length || !files.has(file)) throw new Error(`no bytes at ${position} + ${into.length} of ${length}`)
          into.set(all.subarray(position, position + into.length))
          scratch.reads++
        },
        remove: () => void files.delete(file),
      }
      files.add(file)
      return file
    },
  }
  return scratch
}
