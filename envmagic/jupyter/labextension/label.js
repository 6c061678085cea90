// In the page of JupyterLab or Notebook 7: a notebook that has moved shows the kernel it is in now.
//
// Written as webpack's module federation expects it, by hand: there is nothing to build. Kept out
// of a directory called `static`, whose files browsers may keep for a year.
(() => {
  'use strict';

  const SCHEMA = 'urn:envmagic:kernel-label';
  let shared;

  // A module of the application itself; its tokens are found by identity.
  const of = async name => {
    const versions = Object.values(shared[name]);
    return (await (versions.find(version => version.loaded) ?? versions[0]).get())();
  };

  // Whatever goes wrong here, the page is as it would be without us.
  const quietly = act => async (...args) => {
    try {
      return await act(...args);
    } catch (error) {
      console.debug('envmagic:', error);
    }
  };

  const shadow = (object, name, get) =>
    Object.defineProperty(object, name, { configurable: true, get });

  const activate = ({ serviceManager }, tracker, { ServerConnection }) => {
    const { events, kernelspecs, serverSettings, sessions } = serviceManager;
    const spec = name => kernelspecs.specs?.kernelspecs[name];
    const followed = new WeakSet(); // kernel connections and session contexts
    const moved = new WeakSet(); // session contexts
    const due = new WeakSet(); // those of them whose notebook has not taken over the name yet
    const ranHere = new WeakMap(); // kernel connection -> whether this page runs its latest cell
    const again = new WeakSet(); // session contexts that start what they had, at this moment

    const rename = (kernel, name) => {
      shadow(kernel, 'name', () => name);
      shadow(kernel, 'spec', async () => {
        if (!spec(name)) await kernelspecs.refreshSpecs();
        return spec(name);
      });
      void sessions.refreshRunning();
    };

    // What the page starts when it has no kernel: Restart after Shut Down, or a cell that is run.
    // By itself it starts what it first saw, and writes that into the notebook.
    const startAgain = (context, name) => {
      moved.add(context);
      previous(context, () => name);
      context.kernelPreference = { ...context.kernelPreference, name };
    };

    // Restart after Shut Down asks for it as it starts that kernel; what else starts one by its
    // name, where there is none, is a person who chose it in the menu.
    const previous = (context, name) =>
      shadow(context, 'prevKernelName', () => {
        again.add(context);
        queueMicrotask(() => again.delete(context));
        return name();
      });

    // After `%%env` and Shut Down the server starts the notebook's kernel where the notebook was.
    const forget = quietly(async ({ path }) => {
      const url = `${serverSettings.baseUrl}envmagic/notebooks/${encodeURI(path)}`;
      await ServerConnection.makeRequest(url, { method: 'DELETE' }, serverSettings);
    });

    const heedChoice = context => {
      const usual = Object.getPrototypeOf(context);
      previous(context, () => Reflect.get(usual, 'prevKernelName', context));
      context.changeKernel = async options => {
        if (options?.name && !context.session?.kernel && !again.has(context)) await forget(context);
        return usual.changeKernel.call(context, options);
      };
    };

    const write = ({ model, sessionContext }) => {
      if (!due.delete(sessionContext)) return;
      const name = sessionContext.prevKernelName;
      const before = model.getMetadata('kernelspec');
      if (before?.name === name) return;
      const { display_name = name, language = before?.language } = spec(name) ?? {};
      model.setMetadata('kernelspec', { name, display_name, language });
    };

    const show = (context, { kernel_id, name, display_name }) => {
      const kernel = context.session?.kernel;
      if (kernel?.id !== kernel_id) return;
      const renamed = kernel.name !== name;
      if (!renamed && context.kernelDisplayName === display_name) return;
      if (renamed) rename(kernel, name);
      const usual = Object.getPrototypeOf(context);
      shadow(context, 'kernelDisplayName', () =>
        context.session?.kernel === kernel
          ? display_name
          : Reflect.get(usual, 'kernelDisplayName', context)
      );
      // With a new value the notebook takes over its name and has something to save, so only the
      // page that ran the cell is given one: another's copy may be older, and takes it over when
      // it is saved anyway.
      const newValue = renamed && ranHere.get(kernel) ? kernel : null;
      context.kernelChanged.emit({ name: 'kernel', oldValue: newValue, newValue });
      if (!renamed) return;
      startAgain(context, name);
      if (!newValue) due.add(context);
    };

    // A page that is loaded after the move; until then, events.
    const ask = quietly(async context => {
      const kernel = context.session?.kernel;
      if (!kernel || followed.has(kernel)) return;
      followed.add(kernel);
      if (moved.has(context)) startAgain(context, kernel.name); // chosen in the menu
      kernel.iopubMessage.connect((_, { header, parent_header }) => {
        if (header.msg_type === 'execute_input') {
          ranHere.set(kernel, parent_header.session === kernel.clientId);
        }
      });
      await kernelspecs.ready;
      const url = `${serverSettings.baseUrl}envmagic/kernels/${kernel.id}`;
      const answer = await ServerConnection.makeRequest(url, {}, serverSettings);
      if (answer.ok) show(context, await answer.json());
    });

    const follow = quietly(({ context: notebook, sessionContext }) => {
      if (followed.has(sessionContext)) return;
      followed.add(sessionContext);
      heedChoice(sessionContext);
      sessionContext.kernelChanged.connect(context => void ask(context));
      void ask(sessionContext);
      const saved = quietly(state => state === 'started' && write(notebook));
      notebook.saveState.connect((_, state) => void saved(state));
    });

    tracker.widgetAdded.connect((_, panel) => void follow(panel));
    tracker.forEach(follow);
    const heard = quietly(event => tracker.forEach(panel => show(panel.sessionContext, event)));
    events.stream.connect((_, event) => void (event.schema_id === SCHEMA && heard(event)));
  };

  const extension = async () => {
    const { INotebookTracker } = await of('@jupyterlab/notebook');
    const services = await of('@jupyterlab/services');
    return {
      id: 'envmagic:label',
      description: 'Shows the kernel that envmagic has moved a notebook to.',
      autoStart: true,
      optional: [INotebookTracker],
      activate: quietly((app, tracker) => tracker && activate(app, tracker, services))
    };
  };

  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB.envmagic = {
    init: scope => void (shared = scope),
    get: async () => {
      const plugin = await quietly(extension)();
      return () => ({ __esModule: true, default: plugin ?? [] });
    }
  };
})();
