// Boost.Asio's own code: everything else of this folder only sees its declarations.
#include <boost/asio/impl/src.hpp>
