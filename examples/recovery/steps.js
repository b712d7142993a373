/**
 * What the recovery runbooks share: reading the command line, troubles that a person has to look at, and
 * the proof at the end.
 *
 * JavaScript with its types in steps.d.ts: a runbook of an installed package lies below node_modules,
 * where Node strips no types from what is imported.
 */

/** Seconds a snapshot may take to reach the archives when all is well again. */
const PROOF_SEC = 600;

export class Steps {
  #usage;
  #options;
  #troubles = 0;

  constructor(usage, { min, max }, options = []) {
    this.#usage = usage;
    this.#options = argv.filter((word) => word.startsWith('-'));
    this.words = argv.filter((word) => !word.startsWith('-'));
    if (this.has('--help')) {
      print(usage);
      exit(0);
    }
    const unknown = this.#options.find((word) => !options.includes(word));
    if (unknown?.startsWith('--layout')) this.misused('--layout goes before the name of the book');
    if (unknown !== undefined) this.misused(`unknown option ${unknown}`);
    const count = this.words.length;
    if (count < min || count > max) this.misused(`wrong number of arguments: ${count}`);
  }

  has(option) {
    return this.#options.includes(option);
  }

  server(name, kind) {
    const list = { storage: sLayout.storageL, proxy: sLayout.proxyL, archive: sLayout.archiveL };
    return get_server(name, list[kind]);
  }

  trouble(text) {
    this.#troubles += 1;
    print(`TROUBLE: ${text}`);
  }

  followers(vol) {
    return sLayout.archiveL.filter((ax) =>
      sLayout.proxyL.some((px) => walbc.get_archive_info_list(px, vol).includes(ax.name)),
    );
  }

  prove(sx, vol) {
    const gid = walbc.snapshot(sx, vol, this.followers(vol), PROOF_SEC);
    // A dry run has none.
    if (gid !== undefined) print(`${vol}: gid ${gid} can be restored`);
  }

  end() {
    if (this.#troubles > 0) {
      print(
        `${this.#troubles === 1 ? '1 trouble is' : `${this.#troubles} troubles are`} left, see above`,
      );
      exit(1);
    }
    print(dry_run ? 'dry run: nothing was changed' : 'done');
    exit(0);
  }

  misused(problem) {
    print(`${problem}\n${this.#usage}`);
    exit(2);
  }
}
