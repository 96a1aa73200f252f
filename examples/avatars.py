"""Avatars out of a database: Tonthon's tutorial on Twisted's adbapi, in blocking style.

    python examples/avatars.py [gevent | eventlet]

The classes DBPool and Avatar are the tutorial's own, except for `lazy()` before `runQuery`. It returns a
thunk: the result is on its way, and `addCallback` says what is done with it. The tutorial's DeferredList and
reactor are replaced by a list of thunks that is printed.
"""

import sqlite3
import sys
import tempfile

if "gevent" in sys.argv:
    from gevent import monkey

    monkey.patch_all()
if "eventlet" in sys.argv:
    import eventlet

    eventlet.monkey_patch()

from flowthings_like.database import ConnectionPool

USERS = (
    ("yoen", "Van der Veld", "Yoen"),
    ("esteban", "Garcia Marquez", "Estebán"),
    ("mohamed", "Al Ghâlib", "Mohamed"),
)


def setup_db():
    """Setup our sqlite database"""
    # Tempfile ensure us not to override an existing file
    myfilename = tempfile.mktemp(".sqlite", "test-bdd", "/tmp")
    conn = sqlite3.connect(myfilename)
    curs = conn.cursor()
    curs.execute("Create table users (login text unique, name text, forname text)")
    for login, name, forname in USERS:
        curs.execute("INSERT INTO USERS VALUES (?, ?, ?)", (login, name, forname))
    conn.commit()
    curs.close()
    return myfilename


class Avatar:
    def __init__(self, login, name, forname):
        self.login = login
        self.name = name
        self.forname = forname

    def render(self):
        msg = "Mr '%s %s' is connected under '%s'" % (
            self.forname,
            self.name,
            self.login,
        )
        return msg


class DBPool:
    """
    Sqlite connection pool
    """

    def __init__(self, dbname):
        self.dbname = dbname
        self.__dbpool = ConnectionPool("sqlite3", self.dbname)

    def shutdown(self):
        """
        Shutdown function
        It's a required task to shutdown the database connection pool:
        garbage collector doesn't shutdown associated thread
        """
        self.__dbpool.close()

    def build_avatar(self, dbentries):
        """
        Build avatar from dbentries
        """
        login, name, forname = dbentries[0]
        return Avatar(login, name, forname)

    def get_user_avatar(self, login):
        """
        Build associated avatar object
        """
        query = "SELECT * from `users` where login=?"
        return self.__dbpool.lazy().runQuery(query, (login,)).addCallback(self.build_avatar)


# We initialize the db pool with our dbname retrieved in the first step.
dbpool = DBPool(setup_db())
ret_render = lambda avatar: avatar.render()  # noqa: E731
thunks = [
    dbpool.get_user_avatar(login).addCallback(ret_render)
    for login in (
        "yoen",
        "esteban",
        "mohamed",
    )
]
sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 cannot show all names
for rendered in thunks:
    print(rendered)
# We ask our pool to shutdown all the initialized connections
dbpool.shutdown()
