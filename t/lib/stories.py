"""Stories: tests that are functions, each of which runs alone.

    t = Test(need_module=True)

    @t.shared
    def cluster():
        return t.cluster()

    @t.shared
    def nginx(cluster):
        return t.nginx(..., config=cluster.config())

    @t.story
    def a_deleted_pods_token_is_refused(cluster, nginx):
        ...

    t.tell()

A story's name is a full sentence; it begins what its tests are called, and
`--only=NAME` runs it alone (several times, with * and ?, with blanks for the
underscores), `--list` prints all of them, `--reverse` runs them backwards.

What a story needs it names as its arguments.  They are functions, too, and may
need others: `shared` ones are called once, by the first story that needs them,
`own` ones for each story, and what they or the story start ends with it.
Afterwards the shared API servers are as they were at their start.
"""

import argparse
import dis
import fnmatch
import inspect
import traceback
import types


class Stories:
    """Collects stories and what they need, and tells them."""

    def __init__(self):
        self.stories = {}
        self.givers = {}            # name: (function, whether it is shared)
        self.made = {}              # by shared ones
        self.current = None         # the sentence that is being told
        self.sad = []               # names of those that failed

    # For the test files

    def story(self, function):
        """Take a function for a story."""
        name = function.__name__
        if name in self.stories:
            raise ValueError(f'two stories are called {name}')
        self.stories[name] = function
        return function

    def shared(self, function):
        """Take a function for what its name means to all stories."""
        self.givers[function.__name__] = function, True
        return function

    def own(self, function):
        """Take a function for what each story is to have of its own."""
        self.givers[function.__name__] = function, False
        return function

    def tell(self):
        """Tell the stories that are wanted, and end the file."""
        options = arguments()
        self.ask_for_all()
        names = self.chosen(options.only)
        if options.reverse:
            names.reverse()
        if options.list:
            for name in names:
                print(name)
            self.finished = True
            return
        for name in names:
            self.tell_one(name)
        self.done_testing()

    # Inside

    def ask_for_all(self):
        """Refuse stories and givers that use a giver, not what it gives.

        Who does not name it as an argument has the function instead.
        """
        for function in [*self.stories.values(),
                         *(giver for giver, _ in self.givers.values())]:
            for name in sorted(globals_of(function.__code__)):
                giver = self.givers.get(name, (None,))[0]
                if giver and function.__globals__.get(name) is giver:
                    self.finished = True
                    raise SystemExit(f'{function.__name__} uses {name!r} and '
                                     'does not ask for it')

    def chosen(self, patterns):
        """Return the names that are wanted; one that fits none is an error."""
        if not patterns:
            return list(self.stories)
        out = []
        for pattern in patterns:
            fit = fnmatch.filter(self.stories, pattern.replace(' ', '_'))
            if not fit:
                self.finished = True
                raise SystemExit(f'no story {pattern}; --list names them')
            out += [name for name in fit if name not in out]
        return out

    def tell_one(self, name):
        """Tell a story; whatever it raises, the next one follows."""
        function = self.stories[name]
        count, failed = self.count, self.failed
        self.current = name.replace('_', ' ')
        mark = None
        try:
            self.provide(function, True)
            mark = self.mark()
            function(**self.provide(function, False))
            if self.count == count:
                self.ok(False, 'it tests something')
        except Exception:
            self.ok(False, 'it comes to its end', traceback.format_exc())
        if self.failed > failed:
            self.sad.append(name)
            self.show_logs()
        self.current = None
        if mark is not None:
            self.close_since(mark)

    def provide(self, function, shared_only, own=None):
        """Return what a function names as its arguments, made as needed.

        With shared_only, `own` ones are left out, but not what they need.
        """
        out = {}
        own = {} if own is None else own
        for name in inspect.signature(function).parameters:
            if name not in self.givers:
                raise NameError(f'nobody gives {name!r} to '
                                f'{function.__name__}')
            giver, shared = self.givers[name]
            made = self.made if shared else own
            if name not in made:
                needed = self.provide(giver, shared_only, own)
                if shared_only and not shared:
                    continue
                made[name] = giver(**needed)
            out[name] = made[name]
        return out


def globals_of(code):
    """Return the global names that a function and those in it read."""
    found = {one.argval for one in dis.get_instructions(code)
             if one.opname in ('LOAD_GLOBAL', 'LOAD_NAME')}
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            found |= globals_of(inner)
    return found


def arguments():
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description='Tell the stories.')
    parser.add_argument('--list', action='store_true',
                        help='print their names instead')
    parser.add_argument('--only', action='append', metavar='NAME',
                        help='only these; * and ? stand for other signs')
    parser.add_argument('--reverse', action='store_true',
                        help='the last one first')
    return parser.parse_args()
